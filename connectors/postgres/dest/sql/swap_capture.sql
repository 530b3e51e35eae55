-- Statements that make again, on the table that has the name of this one ($1) when they are run, what belongs to it and
-- LIKE leaves out: foreign keys, triggers, policies, and the views that read it directly (CREATE OR REPLACE keeps
-- what depends on those, and their grants). Asked for before anything is renamed.
WITH t AS (SELECT * FROM pg_class WHERE oid = $1::oid)
SELECT s FROM (
    SELECT 1 AS at, format('ALTER TABLE %s ADD CONSTRAINT %I %s', t.oid::regclass, k.conname, pg_get_constraintdef(k.oid)) AS s
    FROM t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'f'
    UNION ALL
    SELECT 2, pg_get_triggerdef(g.oid) FROM t JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal
    UNION ALL
    SELECT 3, format('ALTER TABLE %s %s TRIGGER %I', t.oid::regclass,
        CASE g.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, g.tgname)
    FROM t JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal AND g.tgenabled <> 'O'
    UNION ALL
    SELECT 4, format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s', p.polname, t.oid::regclass,
        CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
        CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
        (SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r)) END, ', ') FROM unnest(p.polroles) r),
        ' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')',
        ' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')')
    FROM t JOIN pg_policy p ON p.polrelid = t.oid
    UNION ALL
    SELECT 5, format('COMMENT ON %s %I ON %s IS %L', m.kind, m.name, t.oid::regclass, m.comment)
    FROM t CROSS JOIN LATERAL (
        SELECT 'CONSTRAINT', conname, obj_description(oid, 'pg_constraint') FROM pg_constraint
        WHERE conrelid = t.oid AND contype = 'f'
        UNION ALL
        SELECT 'TRIGGER', tgname, obj_description(oid, 'pg_trigger') FROM pg_trigger WHERE tgrelid = t.oid AND NOT tgisinternal
        UNION ALL
        SELECT 'POLICY', polname, obj_description(oid, 'pg_policy') FROM pg_policy WHERE polrelid = t.oid
    ) m (kind, name, comment) WHERE m.comment IS NOT NULL
    UNION ALL
    SELECT 5, format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t.oid::regclass) FROM t WHERE relrowsecurity
    UNION ALL
    SELECT 5, format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t.oid::regclass) FROM t WHERE relforcerowsecurity
    UNION ALL
    SELECT 6, format('CREATE OR REPLACE VIEW %s%s AS %s', v.oid::regclass,
        ' WITH (' || array_to_string(v.reloptions, ', ') || ')', pg_get_viewdef(v.oid))
    FROM t CROSS JOIN LATERAL (
        SELECT DISTINCT r.ev_class FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid
    ) reads JOIN pg_class v ON v.oid = reads.ev_class AND v.relkind = 'v'
) all_of_it ORDER BY at, s

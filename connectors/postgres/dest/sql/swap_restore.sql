-- Statements that give the new table ($2) what LIKE did not take over from the old one ($1), to be run while both
-- exist and the new one has its final name: owner, storage parameters, comments, statistics targets, grants, sequences, replica identity.
-- The new table's own grants are those of ALTER DEFAULT PRIVILEGES: whom they name must not read what the old one did not show.
WITH o AS (SELECT * FROM pg_class WHERE oid = $1::oid), n AS (SELECT $2::oid AS oid)
SELECT s FROM (
    SELECT 1 AS at, format('ALTER TABLE %s OWNER TO %I', n.oid::regclass, pg_get_userbyid(o.relowner)) AS s
    FROM o, n JOIN pg_class c ON c.oid = n.oid WHERE c.relowner <> o.relowner
    UNION ALL
    SELECT 2, format('ALTER TABLE %s SET (%s)', n.oid::regclass,
        (SELECT string_agg(format('%I = %L', split_part(r, '=', 1), substr(r, strpos(r, '=') + 1)), ', ')
         FROM unnest(o.reloptions) r))
    FROM o, n WHERE o.reloptions IS NOT NULL
    UNION ALL
    SELECT 2, format('ALTER TABLE %s SET (%s)', n.oid::regclass,
        (SELECT string_agg(format('toast.%I = %L', split_part(r, '=', 1), substr(r, strpos(r, '=') + 1)), ', ')
         FROM unnest(toast.reloptions) r))
    FROM o JOIN pg_class toast ON toast.oid = o.reltoastrelid, n WHERE toast.reloptions IS NOT NULL
    UNION ALL
    SELECT 2, format('ALTER TABLE %s REPLICA IDENTITY %s', n.oid::regclass, CASE o.relreplident WHEN 'f' THEN 'FULL' ELSE 'NOTHING' END)
    FROM o, n WHERE o.relreplident IN ('f', 'n')
    UNION ALL
    SELECT 2, format('COMMENT ON TABLE %s IS %L', n.oid::regclass, m.description)
    FROM n, o JOIN pg_description m ON m.objoid = o.oid AND m.classoid = 'pg_class'::regclass AND m.objsubid = 0
    UNION ALL
    SELECT 2, format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', n.oid::regclass, c.attname, c.attstattarget)
    FROM o, n, pg_attribute c WHERE c.attrelid = o.oid AND c.attnum > 0 AND NOT c.attisdropped AND c.attstattarget >= 0
    UNION ALL
    -- Not what a server keeps there for itself under a name of its own (pg_attver, since the minors of November 2026). Whatever else a
    -- later version knows is somebody's setting: a list of what is permitted would lose it.
    SELECT 2, format('ALTER TABLE %s ALTER COLUMN %I SET (%s)', n.oid::regclass, c.attname, set.options)
    FROM o, n, pg_attribute c, LATERAL (SELECT string_agg(format('%I = %L', split_part(r, '=', 1), substr(r, strpos(r, '=') + 1)), ', ') AS options
        FROM unnest(c.attoptions) r WHERE r NOT LIKE 'pg\_%') set
    WHERE c.attrelid = o.oid AND c.attnum > 0 AND NOT c.attisdropped AND set.options IS NOT NULL
    UNION ALL
    SELECT DISTINCT 3, format('REVOKE ALL ON %s FROM %s', n.oid::regclass,
        CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
    FROM n JOIN pg_class c ON c.oid = n.oid, aclexplode(c.relacl) a
    UNION ALL
    SELECT 3, format('REVOKE ALL ON %s FROM %I', n.oid::regclass, pg_get_userbyid(o.relowner)) FROM o, n WHERE o.relacl IS NOT NULL
    UNION ALL
    SELECT 4, format('GRANT ALL ON %s TO %I', n.oid::regclass, pg_get_userbyid(o.relowner)) FROM o, n JOIN pg_class c ON c.oid = n.oid WHERE o.relacl IS NULL AND c.relacl IS NOT NULL
    UNION ALL
    SELECT 4, format('GRANT %s ON %s TO %s%s', a.privilege_type, n.oid::regclass,
        CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
        CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM o, n, aclexplode(o.relacl) a
    UNION ALL
    SELECT 5, format('GRANT %s (%I) ON %s TO %s%s', a.privilege_type, c.attname, n.oid::regclass,
        CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
        CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM o, n, pg_attribute c, aclexplode(c.attacl) a WHERE c.attrelid = o.oid AND c.attnum > 0 AND NOT c.attisdropped
    UNION ALL
    SELECT 6, format('ALTER SEQUENCE %s OWNED BY %s.%I', d.objid::regclass, n.oid::regclass, c.attname)
    FROM o, n, pg_depend d, pg_class q, pg_attribute c
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = o.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'a'
        AND q.oid = d.objid AND q.relkind = 'S' AND c.attrelid = o.oid AND c.attnum = d.refobjsubid
    UNION ALL
    SELECT 7, format('SELECT setval(%L, s.last_value, s.is_called) FROM %s s',
        pg_get_serial_sequence(n.oid::regclass::text, c.attname), q.oid::regclass)
    FROM o, n, pg_depend d, pg_class q, pg_attribute c
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = o.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'i'
        AND q.oid = d.objid AND q.relkind = 'S' AND c.attrelid = o.oid AND c.attnum = d.refobjsubid
    UNION ALL
    SELECT 7, format('COMMENT ON SEQUENCE %s IS %L', pg_get_serial_sequence(n.oid::regclass::text, c.attname), m.description)
    FROM o, n, pg_depend d, pg_class q, pg_attribute c, pg_description m
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = o.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'i'
        AND q.oid = d.objid AND q.relkind = 'S' AND c.attrelid = o.oid AND c.attnum = d.refobjsubid
        AND m.objoid = q.oid AND m.classoid = 'pg_class'::regclass AND m.objsubid = 0
    UNION ALL
    SELECT DISTINCT 8, format('REVOKE ALL ON SEQUENCE %s FROM %s', pg_get_serial_sequence(n.oid::regclass::text, c.attname),
        CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
    FROM n, pg_depend d, pg_class q, pg_attribute c, aclexplode(q.relacl) a
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = n.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'i'
        AND q.oid = d.objid AND q.relkind = 'S' AND c.attrelid = n.oid AND c.attnum = d.refobjsubid
    UNION ALL
    SELECT 9, format('GRANT %s ON SEQUENCE %s TO %s%s', coalesce(a.privilege_type, 'ALL'),
        pg_get_serial_sequence(n.oid::regclass::text, c.attname),
        CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(coalesce(a.grantee, q.relowner))) END,
        CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM o, n, pg_depend d, pg_attribute c, pg_class q LEFT JOIN LATERAL aclexplode(q.relacl) a ON true
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = o.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'i'
        AND q.oid = d.objid AND q.relkind = 'S' AND c.attrelid = o.oid AND c.attnum = d.refobjsubid
) all_of_it ORDER BY at, s

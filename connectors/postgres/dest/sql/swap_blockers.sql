-- What a swap of the table ($1) could not keep, in words; whose member the role must be for it, and is not, and the statements that
-- make it one; the statements that give it, and the table's owner, the right to make tables in the schema, where they lack it; and which
-- extensions that know tables by a catalogue of their own are there.
WITH t AS (SELECT c.* FROM pg_class c WHERE c.oid = $1::oid),
d AS (
    SELECT pg_describe_object(d.classid, d.objid, d.objsubid) AS what
    FROM t JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid
    WHERE d.deptype <> 'i'
      AND NOT (d.classid = 'pg_attrdef'::regclass)
      AND NOT (d.classid = 'pg_constraint'::regclass AND EXISTS (
            SELECT FROM pg_constraint k WHERE k.oid = d.objid AND k.conrelid = t.oid
                AND (k.contype IN ('c', 'p', 'u', 'x', 'n', 'f'))))
      AND d.classid <> 'pg_statistic_ext'::regclass
      AND NOT (d.classid = 'pg_policy'::regclass AND EXISTS (
            SELECT FROM pg_policy p WHERE p.oid = d.objid AND p.polrelid = t.oid))
      AND NOT (d.classid = 'pg_trigger'::regclass AND EXISTS (
            SELECT FROM pg_trigger g WHERE g.oid = d.objid AND g.tgrelid = t.oid AND g.tgconstraint = 0))
      AND NOT (d.classid = 'pg_rewrite'::regclass AND EXISTS (
            SELECT FROM pg_rewrite r JOIN pg_class v ON v.oid = r.ev_class
            WHERE r.oid = d.objid AND v.relkind = 'v' AND r.rulename = '_RETURN'))
      AND NOT (d.classid = 'pg_class'::regclass AND EXISTS (
            SELECT FROM pg_class i WHERE i.oid = d.objid AND i.relkind IN ('i', 'S')))
    UNION
    SELECT pg_describe_object(d.classid, d.objid, d.objsubid)
    FROM t JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass AND d.refobjid = t.reltype
    WHERE d.deptype <> 'i'
    UNION SELECT 'it is not a plain table' FROM t WHERE relkind <> 'r' OR relpersistence <> 'p' OR reloftype <> 0
    UNION SELECT 'its inheritance' FROM t JOIN pg_inherits i ON t.oid IN (i.inhrelid, i.inhparent)
    -- A publication that names the table is found above. Whoever subscribed would miss the rows, or get them as another table's.
    UNION SELECT format('publication %I of all tables', p.pubname) FROM t, pg_publication p WHERE p.puballtables
    UNION SELECT pg_describe_object(d.classid, d.objid, 0)
    FROM t JOIN pg_depend d ON d.classid = to_regclass('pg_catalog.pg_publication_namespace')
        AND d.refclassid = 'pg_namespace'::regclass AND d.refobjid = t.relnamespace
    UNION SELECT 'its subscription' FROM t JOIN pg_subscription_rel s ON s.srrelid = t.oid
    UNION SELECT format('disabled triggers of foreign key %I', k.conname)
    FROM t JOIN pg_trigger g ON g.tgrelid = t.oid AND g.tgisinternal AND g.tgenabled <> 'O' JOIN pg_constraint k ON k.oid = g.tgconstraint
    UNION SELECT format('its place in extension %I', x.extname)
    FROM t JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = t.oid AND d.deptype IN ('e', 'x')
    JOIN pg_extension x ON x.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
    -- Whose machinery an extension has put there: the trigger is its own, or calls what is in a schema of the extension's.
    UNION SELECT format('trigger %I of extension %I', g.tgname, x.extname)
    FROM t JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal JOIN pg_proc f ON f.oid = g.tgfoid
    JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND (
        (d.classid = 'pg_trigger'::regclass AND d.objid = g.oid AND d.deptype IN ('e', 'x'))
        OR (d.classid = 'pg_namespace'::regclass AND d.objid = f.pronamespace AND d.deptype = 'e'))
    JOIN pg_extension x ON x.oid = d.refobjid
    UNION SELECT 'a security label' FROM t JOIN pg_seclabel s ON s.classoid = 'pg_class'::regclass AND s.objoid = t.oid
), f AS (
    SELECT format('%I, whose it is', pg_get_userbyid(relowner)) AS what, relowner AS owner FROM t WHERE NOT pg_has_role(relowner, 'USAGE')
    UNION
    SELECT DISTINCT format('%I, whose view %s reads it', pg_get_userbyid(v.relowner), v.oid::regclass), v.relowner
    FROM t JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid
    JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class AND v.relkind = 'v'
    WHERE NOT pg_has_role(v.relowner, 'USAGE')
)
SELECT (SELECT string_agg(what, ', ' ORDER BY what) FROM d), (SELECT string_agg(what, ', ' ORDER BY what) FROM f),
    (SELECT string_agg(DISTINCT format('GRANT %I TO %I', pg_get_userbyid(owner), current_user), '; ') FROM f),
    (SELECT string_agg(DISTINCT format('GRANT CREATE ON SCHEMA %s TO %I', t.relnamespace::regnamespace, r.rolname), '; ')
     FROM t JOIN pg_roles r ON r.rolname = current_user OR r.oid = t.relowner
     WHERE NOT has_schema_privilege(r.oid, t.relnamespace, 'CREATE')
        AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)),
    -- What has a catalogue of its own of tables: known_*.sql would fail where it is not there.
    EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = '_timescaledb_catalog' AND c.relname = 'hypertable'),
    EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relname = 'pg_dist_partition')

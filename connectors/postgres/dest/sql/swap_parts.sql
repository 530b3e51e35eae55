-- Of a table that is to be replaced ($1) by another one ($2; NULL: there is none yet): whether the long statements can find anything,
-- swap_blockers.sql and swap_capture.sql, then swap_restore.sql, then swap_rename.sql. Most tables have nothing that these look for, and
-- to plan and start them would take longer than all else that a small table costs. Whoever adds to one of them adds to this one.
SELECT
    t.relkind <> 'r' OR t.relpersistence <> 'p' OR t.reloftype <> 0
    -- The server sets these flags with the first trigger (also a foreign key's, on both sides), rule and child.
    OR t.relhastriggers OR t.relhasrules OR t.relhassubclass OR t.relispartition OR t.relrowsecurity OR t.relforcerowsecurity
    OR NOT pg_has_role(t.relowner, 'USAGE')
    OR NOT has_schema_privilege(t.relnamespace, 'CREATE') OR NOT has_schema_privilege(t.relowner, t.relnamespace, 'CREATE')
    OR EXISTS (SELECT FROM pg_depend d
        WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid AND d.deptype <> 'i'
            AND d.classid NOT IN ('pg_attrdef'::regclass, 'pg_statistic_ext'::regclass)
            AND NOT (d.classid = 'pg_constraint'::regclass AND EXISTS (
                SELECT FROM pg_constraint k WHERE k.oid = d.objid AND k.conrelid = t.oid))
            AND NOT (d.classid = 'pg_class'::regclass AND EXISTS (
                SELECT FROM pg_class i WHERE i.oid = d.objid AND i.relkind IN ('i', 'S'))))
    OR EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_type'::regclass AND d.refobjid = t.reltype AND d.deptype <> 'i')
    OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = t.oid AND d.deptype IN ('e', 'x'))
    OR EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = t.oid)
    OR EXISTS (SELECT FROM pg_publication)
    OR EXISTS (SELECT FROM pg_subscription_rel s WHERE s.srrelid = t.oid)
    OR EXISTS (SELECT FROM pg_seclabel s WHERE s.objoid = t.oid AND s.classoid = 'pg_class'::regclass)
    -- Of TimescaleDB, of Citus.
    OR EXISTS (SELECT FROM pg_class c WHERE c.relname IN ('hypertable', 'pg_dist_partition')),
    n.oid IS NULL OR t.relowner <> n.relowner OR t.relacl IS NOT NULL OR n.relacl IS NOT NULL
    OR t.reloptions IS NOT NULL OR t.relreplident IN ('f', 'n') OR s.any_sequence
    OR EXISTS (SELECT FROM pg_class toast WHERE toast.oid = t.reltoastrelid AND toast.reloptions IS NOT NULL)
    OR EXISTS (SELECT FROM pg_description m WHERE m.objoid = t.oid AND m.classoid = 'pg_class'::regclass AND m.objsubid = 0)
    OR EXISTS (SELECT FROM pg_attribute a
        WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
            AND (a.attstattarget >= 0 OR a.attacl IS NOT NULL
                OR EXISTS (SELECT FROM unnest(a.attoptions) r WHERE r NOT LIKE 'pg\_%'))),
    s.any_sequence
    OR EXISTS (SELECT FROM pg_index i WHERE i.indrelid = t.oid)
    OR EXISTS (SELECT FROM pg_statistic_ext x WHERE x.stxrelid = t.oid)
FROM pg_class t LEFT JOIN pg_class n ON n.oid = $2::oid
CROSS JOIN LATERAL (
    SELECT EXISTS (SELECT FROM pg_depend d JOIN pg_class q ON q.oid = d.objid AND q.relkind = 'S'
        WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid IN (t.oid, n.oid))
) s (any_sequence)
WHERE t.oid = $1::oid

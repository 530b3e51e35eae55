-- What a swap of the table ($1) could not keep, in words.
WITH t AS (SELECT c.* FROM pg_class c WHERE c.oid = $1::oid),
d AS (
    SELECT pg_describe_object(d.classid, d.objid, d.objsubid) AS what
    FROM t JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid
    WHERE d.deptype <> 'i'
      AND NOT (d.classid = 'pg_attrdef'::regclass)
      AND NOT (d.classid = 'pg_constraint'::regclass AND EXISTS (
            SELECT FROM pg_constraint k WHERE k.oid = d.objid AND k.conrelid = t.oid
                AND (k.contype IN ('c', 'p', 'u', 'x', 'n') OR (k.contype = 'f' AND k.confrelid <> t.oid))))
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
    UNION SELECT 'its replica identity' FROM t WHERE relreplident <> 'd'
    UNION SELECT 'its tablespace' FROM t WHERE reltablespace <> 0
    UNION SELECT 'a security label' FROM t JOIN pg_seclabel s ON s.classoid = 'pg_class'::regclass AND s.objoid = t.oid
)
SELECT string_agg(what, ', ' ORDER BY what) FROM d

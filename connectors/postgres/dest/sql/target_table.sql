-- The relation $2 of schema $1; what of it keeps rows from being committed, and kept, together with their receipt; whether the role
-- may alter it, whether it may truncate it, its owner, and a foreign key of another table that points to it.
SELECT c.oid, c.relkind,
    CASE WHEN c.relkind = 'f' OR leaf.has_foreign THEN 'a foreign table, whose rows another server commits'
         WHEN c.relpersistence = 'u' OR leaf.has_unlogged THEN 'unlogged, and empty after a crash of the server' END,
    pg_has_role(c.relowner, 'USAGE'), has_table_privilege(c.oid, 'TRUNCATE'), pg_get_userbyid(c.relowner),
    CASE WHEN c.relhastriggers THEN (
        SELECT format('%I of table %s', k.conname, k.conrelid::regclass)
          FROM pg_trigger g JOIN pg_constraint k ON k.oid = g.tgconstraint AND k.contype = 'f' AND k.confrelid = c.oid AND k.conrelid <> c.oid
         WHERE g.tgrelid = c.oid AND g.tgisinternal ORDER BY k.conname LIMIT 1) END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
        SELECT coalesce(bool_or(l.relkind = 'f'), false), coalesce(bool_or(l.relpersistence = 'u'), false)
          FROM pg_partition_tree(CASE WHEN c.relkind = 'p' THEN c.oid END) t JOIN pg_class l ON l.oid = t.relid
       ) leaf (has_foreign, has_unlogged)
WHERE n.nspname = $1 AND c.relname = $2

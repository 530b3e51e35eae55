-- The relation $2 of schema $1; and what of it keeps rows from being committed, and kept, together with their receipt.
SELECT c.oid, c.relkind,
    CASE WHEN c.relkind = 'f' OR leaf.has_foreign THEN 'a foreign table, whose rows another server commits'
         WHEN c.relpersistence = 'u' OR leaf.has_unlogged THEN 'unlogged, and empty after a crash of the server' END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
        SELECT coalesce(bool_or(l.relkind = 'f'), false), coalesce(bool_or(l.relpersistence = 'u'), false)
          FROM pg_partition_tree(CASE WHEN c.relkind = 'p' THEN c.oid END) t JOIN pg_class l ON l.oid = t.relid
       ) leaf (has_foreign, has_unlogged)
WHERE n.nspname = $1 AND c.relname = $2

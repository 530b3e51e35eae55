-- Of a partitioned table ($1: its OID): whether any of it is a foreign table, and whether any is unlogged.
SELECT coalesce(bool_or(l.relkind = 'f'), false), coalesce(bool_or(l.relpersistence = 'u'), false)
  FROM pg_partition_tree($1::oid) t JOIN pg_class l ON l.oid = t.relid

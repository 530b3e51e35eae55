-- What may be meant by the relation $2 of schema $1, which is not there: those of the schema, and those of that name elsewhere,
-- also of a name that has its schema before it.
SELECT n.nspname, c.relname
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND c.relpersistence <> 't'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
   AND (n.nspname = $1 OR c.relname = $2 OR n.nspname || '.' || c.relname = $2)
 ORDER BY n.nspname || '.' || c.relname = $2 DESC, n.nspname <> $1, c.relname COLLATE "C"
 LIMIT 10000

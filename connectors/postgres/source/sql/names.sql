-- What may be read in schema $1, by name and kind alone: partitions belong to their parent's stream.
SELECT c.relname, c.relkind::text
  FROM pg_class c
 WHERE c.relnamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = $1)
   AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't' AND NOT c.relispartition
 ORDER BY c.relname COLLATE "C"

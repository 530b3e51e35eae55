-- Schema $1: NULL when there is none, its usage right, and how many relations in it may be read.
SELECT has_schema_privilege(n.oid, 'USAGE'),
       count(c.oid) FILTER (WHERE has_any_column_privilege(c.oid, 'SELECT')),
       count(c.oid)
  FROM pg_namespace n
  LEFT JOIN pg_class c
    ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
 WHERE n.nspname = $1
 GROUP BY n.oid

-- The names that a new table can't have in the schema $1, for a relation or a type there has them; at most $2 of them.
SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = (SELECT n.oid FROM pg_namespace AS n WHERE n.nspname = $1)
 UNION
SELECT t.typname FROM pg_type AS t WHERE t.typnamespace = (SELECT n.oid FROM pg_namespace AS n WHERE n.nspname = $1)
 ORDER BY 1
 LIMIT $2::int8

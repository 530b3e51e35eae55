-- Whether a table of the name $2 could be made in the schema $1: nothing there has that name, no relation and no type. The schema may
-- have to be made first.
SELECT NOT EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2)
   AND NOT EXISTS (SELECT FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace WHERE n.nspname = $1 AND t.typname = $2)

-- Not a type's array: CREATE TYPE gives that another name by itself when it meets it.
SELECT t.oid FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
 WHERE n.nspname = $1 AND t.typname = $2 AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)

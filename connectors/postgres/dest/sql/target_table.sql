-- The relation $2 of schema $1: its OID and kind, whether it is unlogged, whether the role may alter it, whether it may truncate it, its
-- owner, and whether it has triggers, which a foreign key that points to it has.
SELECT c.oid, c.relkind, c.relpersistence = 'u', pg_has_role(c.relowner, 'USAGE'), has_table_privilege(c.oid, 'TRUNCATE'),
    pg_get_userbyid(c.relowner), c.relhastriggers
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2

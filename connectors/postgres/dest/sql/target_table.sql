-- The relation $2 of schema $1: its OID and kind, whether it is unlogged, whether the role may alter it, whether it may truncate it, its
-- owner, whether it has triggers, which a foreign key that points to it has, whether a row that comes runs SQL of the user's, beside
-- what its columns run, and how many columns it has, those that were dropped with them.
SELECT c.oid, c.relkind, c.relpersistence = 'u', pg_has_role(c.relowner, 'USAGE'), has_table_privilege(c.oid, 'TRUNCATE'),
    pg_get_userbyid(c.relowner), c.relhastriggers,
    c.relkind <> 'r' OR c.relhastriggers OR c.relhasrules OR c.relrowsecurity OR c.relchecks > 0 OR c.relhasindex AND EXISTS (
        SELECT FROM pg_index x WHERE x.indrelid = c.oid AND (x.indexprs IS NOT NULL OR x.indpred IS NOT NULL)),
    c.relnatts
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2

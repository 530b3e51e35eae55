-- The tables whose rows are those of the partitioned or inherited table $1, first all of them with their file nodes, as a JSON
-- object; then those that are not in $2, such an object, or have another file node: OID, schema, name, and whether the role
-- reads all of it there.
WITH RECURSIVE part (oid) AS (
    SELECT inhrelid FROM pg_inherits WHERE inhparent = $1::oid
    UNION
    SELECT i.inhrelid FROM part JOIN pg_inherits i ON i.inhparent = part.oid
), leaf AS (
    SELECT c.oid, c.relfilenode::int8 AS node, n.nspname, c.relname
    FROM part JOIN pg_class c ON c.oid = part.oid AND c.relkind = 'r' JOIN pg_namespace n ON n.oid = c.relnamespace
)
SELECT 0 AS at, (SELECT coalesce(json_object_agg(oid::text, node), '{}') FROM leaf)::text, NULL::text, NULL::text, NULL::bool
UNION ALL
SELECT 1, oid::text, nspname, relname, has_table_privilege(oid, 'SELECT') AND NOT row_security_active(oid)
FROM leaf WHERE $2::json IS NOT NULL
    -- Hashed: to look a key up in the object takes as long as to read all of it.
    AND (oid::text, node::text) NOT IN (SELECT k.key, k.value FROM json_each_text($2::json) k WHERE k.value IS NOT NULL)
ORDER BY 1

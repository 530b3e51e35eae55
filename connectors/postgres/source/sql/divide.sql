-- The bytes of the table $1 as they are now, TOAST included, or of each table that is a part of it: its OID, its bytes, its blocks (0:
-- ranges of them can't be read), and whether the role reads it by itself as it does through $1. The locks that this takes are released
-- at once.
WITH RECURSIVE part (oid) AS (
    SELECT $1::oid
     UNION ALL
    SELECT i.inhrelid FROM part JOIN pg_class p ON p.oid = part.oid AND p.relkind = 'p' JOIN pg_inherits i ON i.inhparent = part.oid
)
SELECT c.oid,
       pg_table_size(c.oid),
       CASE WHEN am.amname = 'heap' THEN pg_relation_size(c.oid) / current_setting('block_size')::int8 ELSE 0 END,
       c.oid = $1::oid
           OR c.relkind = 'r' AND has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(c.relnamespace, 'USAGE')
              AND NOT row_security_active(c.oid)
  FROM part
  JOIN pg_class c ON c.oid = part.oid AND c.relkind <> 'p'
  LEFT JOIN pg_am am ON am.oid = c.relam
 ORDER BY c.oid
 LIMIT $2::int4

-- The columns of a table ($1: its OID), in order; last the type without its modifier, by a cast to which nothing is cut off.
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated <> '', a.atthasdef, format_type(a.atttypid, -1)
FROM pg_attribute a WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum

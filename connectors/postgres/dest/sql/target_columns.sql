-- The columns of a table ($1: its OID), in order: name, type, NOT NULL, generated, whether it has a value when none is given
-- (default, identity), the type without its modifier (by a cast to which nothing is cut off), whether NOT NULL is not to be
-- taken away (primary key, identity).
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated <> '',
       a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL, format_type(a.atttypid, -1),
       a.attidentity <> '' OR EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey))
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum

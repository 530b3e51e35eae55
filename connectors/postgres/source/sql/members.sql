-- The tables whose rows are those of the table $1, from which others inherit: itself and its descendants, but for those that are, or
-- descend from, another of the pipeline's streams ($2: a JSON array of objects with schema and name).
WITH RECURSIVE descendant (oid) AS (
    SELECT $1::oid
     UNION
    SELECT i.inhrelid FROM descendant JOIN pg_inherits i ON i.inhparent = descendant.oid
), covered (oid) AS (
    SELECT c.oid FROM json_array_elements($2::json) s (at)
      JOIN pg_namespace n ON n.nspname = s.at->>'schema'
      JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = s.at->>'name'
     WHERE c.oid <> $1::oid AND c.oid IN (SELECT oid FROM descendant)
     UNION
    SELECT i.inhrelid FROM covered JOIN pg_inherits i ON i.inhparent = covered.oid
)
SELECT array_agg(oid ORDER BY oid)::text FROM descendant d WHERE NOT EXISTS (SELECT FROM covered WHERE covered.oid = d.oid)

-- Of the tables of streams ($2: a JSON array of objects with stream and table) in the schema $1: the streams whose tables refer by a
-- foreign key to tables of others, and these others' streams, a JSON array.
WITH s AS (
    SELECT e.stream->>'stream' AS name, c.oid
      FROM json_array_elements($2::json) AS e (stream)
      JOIN pg_class AS c ON c.relname = e.stream->>'table' AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)
)
SELECT child.name, json_agg(DISTINCT parent.name)
  FROM s AS child
  JOIN pg_constraint AS k ON k.contype = 'f' AND k.conrelid = child.oid AND k.confrelid <> child.oid
  JOIN s AS parent ON parent.oid = k.confrelid
 GROUP BY child.name

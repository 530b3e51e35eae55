-- The checkpoints of a pipeline ($1) for streams whose tables somebody has dropped since: the rows before them are gone, so they
-- are read from their start. $2: the streams, a JSON array of objects with stream and table; $3: the schema.
UPDATE _rapidbyte.loads AS l SET checkpoint = NULL FROM json_to_recordset($2::json) AS s (stream text, "table" text)
WHERE l.pipeline = $1 AND l.stream = s.stream AND l.checkpoint IS NOT NULL
    AND l.target IN ($3::text || '.' || s."table", '')
    AND NOT EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = $3 AND c.relname = s."table")

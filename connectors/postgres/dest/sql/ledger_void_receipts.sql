-- The load's ($1) receipts of streams whose tables somebody has dropped since, or made anew: a receipt does not bring their rows back.
-- $2: the streams, a JSON array of objects with stream and table; $3: the schema.
DELETE FROM _rapidbyte.loads AS l USING json_to_recordset($2::json) AS s (stream text, "table" text)
WHERE l.load_id = $1 AND l.stream = s.stream AND l.target = $3::text || '.' || s."table"
    AND NOT EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = $3 AND c.relname = s."table"
            AND (l.target_oid IS NULL OR NOT l.visible OR l.ledger_oid <> '_rapidbyte.loads'::regclass::oid OR l.target_oid = c.oid))

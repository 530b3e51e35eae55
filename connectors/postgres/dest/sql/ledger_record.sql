-- No row: the unit is loaded already, by a session of an earlier run whose COMMIT was under way. What is committed with it
-- is to outlive a crash of the server.
INSERT INTO _rapidbyte.loads (load_id, stream, unit, pipeline, attempt, mode, visible, rows, bytes, checksum,
    checkpoint, source_snapshot, source_system, target, started, rejected)
SELECT $1, $2, $3::int8, $4, $5::int8, $6, $7::bool, $8::int8, $9::int8, $10, $11::json, $12::json,
    $12::json ->> 'system_identifier', $13, transaction_timestamp(), $14::int8
 WHERE set_config('synchronous_commit',
    CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true) IS NOT NULL
ON CONFLICT (load_id, stream, unit, target) DO NOTHING

-- No row: the unit is loaded already, by a session of an earlier run whose COMMIT was under way.
INSERT INTO _rapidbyte.loads (load_id, stream, unit, pipeline, attempt, mode, visible, rows, bytes, checksum,
    checkpoint, source_snapshot, source_system, target, started, rejected)
VALUES ($1, $2, $3::int8, $4, $5::int8, $6, $7::bool, $8::int8, $9::int8, $10, $11::json, $12::json,
    $12::json ->> 'system_identifier', $13, transaction_timestamp(), $14::int8)
ON CONFLICT (load_id, stream, unit, target) DO NOTHING

SELECT stream, load_id, cursor_field, cursor_type, checkpoint_json, updated_unix_us
FROM checkpoints
WHERE pipeline = :pipeline
ORDER BY stream;

-- A checkpoint without a cursor value (absent, null, "null", or empty text) never replaces one that
-- has one: the next run would read everything again, or skip what it has not read.
INSERT INTO checkpoints (pipeline, stream, load_id, cursor_field, cursor_type, checkpoint_json,
    updated_unix_us)
VALUES (:pipeline, :stream, :load_id, :cursor_field, :cursor_type, :checkpoint, :now)
ON CONFLICT (pipeline, stream) DO UPDATE SET
    load_id = excluded.load_id,
    cursor_field = excluded.cursor_field,
    cursor_type = excluded.cursor_type,
    checkpoint_json = excluded.checkpoint_json,
    updated_unix_us = excluded.updated_unix_us
WHERE (json_type(excluded.checkpoint_json, '$.cursor_value') = 'object'
       AND EXISTS (SELECT 1 FROM json_each(excluded.checkpoint_json, '$.cursor_value') AS v
                   WHERE v.value IS NOT NULL AND v.value <> ''))
   OR json_type(checkpoints.checkpoint_json, '$.cursor_value') IS NOT 'object'
   OR NOT EXISTS (SELECT 1 FROM json_each(checkpoints.checkpoint_json, '$.cursor_value') AS v
                  WHERE v.value IS NOT NULL AND v.value <> '');

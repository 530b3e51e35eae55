-- Where stream $2 (NULL: every one that was loaded) stands from now on: checkpoint $4, JSON null for its start.
-- A row of its own, so that what was loaded until then can still be read here.
INSERT INTO _rapidbyte.loads (load_id, stream, unit, pipeline, attempt, mode, visible, rows, bytes, checkpoint,
    target, started)
SELECT $3, s.stream, 0, $1, 1, 'set', true, 0, 0, $4::json, '', transaction_timestamp()
  FROM (SELECT $2::text WHERE $2 IS NOT NULL
         UNION
        SELECT stream FROM _rapidbyte.loads WHERE $2 IS NULL AND pipeline = $1) s (stream)
    ON CONFLICT (load_id, stream, unit, target) DO UPDATE SET checkpoint = EXCLUDED.checkpoint

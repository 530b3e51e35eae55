-- The newest first; :pipeline NULL: of all; :run 0: all.
SELECT id, pipeline, load_id, document_path, host, pid, started_unix_us, ended_unix_us, outcome,
       exit_code, error_json,
       (SELECT count(*) FROM run_streams AS s WHERE s.run_id = runs.id),
       (SELECT coalesce(sum(s.records_written), 0) FROM run_streams AS s
        WHERE s.run_id = runs.id AND s.outcome = 'ok'),
       connectors_json, key
FROM runs
WHERE (:pipeline IS NULL OR pipeline = :pipeline) AND (:run = 0 OR id = :run)
ORDER BY id DESC
LIMIT :limit;

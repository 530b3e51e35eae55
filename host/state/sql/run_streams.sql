SELECT stream, outcome, sync_mode, write_mode, records_read, records_written, records_skipped,
       bytes_read, bytes_written, started_unix_us, ended_unix_us, checksum, timings_json, error_json
FROM run_streams
WHERE run_id = :run
ORDER BY started_unix_us, stream;

INSERT INTO run_streams (run_id, stream, outcome, sync_mode, write_mode, records_read,
    records_written, records_skipped, bytes_read, bytes_written, started_unix_us, ended_unix_us,
    checksum, timings_json, error_json)
VALUES (:run, :stream, :outcome, :sync_mode, :write_mode, :records_read,
    :records_written, :records_skipped, :bytes_read, :bytes_written, :started, :ended,
    :checksum, :timings, :error)
ON CONFLICT (run_id, stream) DO UPDATE SET
    outcome = excluded.outcome,
    sync_mode = excluded.sync_mode,
    write_mode = excluded.write_mode,
    records_read = excluded.records_read,
    records_written = excluded.records_written,
    records_skipped = excluded.records_skipped,
    bytes_read = excluded.bytes_read,
    bytes_written = excluded.bytes_written,
    started_unix_us = excluded.started_unix_us,
    ended_unix_us = excluded.ended_unix_us,
    checksum = excluded.checksum,
    timings_json = excluded.timings_json,
    error_json = excluded.error_json;

INSERT INTO locks (pipeline, token, pid, process_start, boot_id, host, taken_unix_us)
VALUES (:pipeline, :token, :pid, :process_start, :boot_id, :host, :now)
ON CONFLICT (pipeline) DO UPDATE SET
    token = excluded.token,
    pid = excluded.pid,
    process_start = excluded.process_start,
    boot_id = excluded.boot_id,
    host = excluded.host,
    taken_unix_us = excluded.taken_unix_us;

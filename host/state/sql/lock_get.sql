SELECT pid, process_start, boot_id, host,
       strftime('%Y-%m-%d %H:%M:%S', taken_unix_us / 1000000, 'unixepoch') || ' UTC'
FROM locks
WHERE pipeline = :pipeline;

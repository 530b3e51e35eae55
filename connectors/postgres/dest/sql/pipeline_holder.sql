-- Who holds the lock of a pipeline ($1).
SELECT l.pid, coalesce(a.application_name, ''), coalesce(host(a.client_addr), 'local')
FROM (SELECT hashtextextended('rapidbyte ' || $1::text, 0) AS key) k
JOIN pg_locks l ON l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (l.classid::int8 << 32 | l.objid::int8) = k.key
LEFT JOIN pg_stat_activity a USING (pid)
LIMIT 1

-- Who keeps the relation $1, or a table that is part of it, from being read: the table, the server process, its application and when
-- its statement began, as far as the role may see that, and whether it has the lock (or is the first that waits for it).
WITH RECURSIVE part (oid) AS (
    SELECT $1::oid
     UNION
    SELECT i.inhrelid FROM part JOIN pg_inherits i ON i.inhparent = part.oid
)
SELECT part.oid::regclass::text, l.pid, a.application_name, to_char(a.query_start, 'YYYY-MM-DD HH24:MI:SS TZ'), l.granted
  FROM pg_locks l
  JOIN part ON part.oid = l.relation
  LEFT JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'
   AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
 ORDER BY l.granted DESC, a.query_start
 LIMIT 1

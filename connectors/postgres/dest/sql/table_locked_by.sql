-- Who has a lock on the table $2 of schema $1, or on a table that is part of it: the table, the server process, its application and when
-- its transaction began, as far as the role may see that. Of many the one that has been at it the longest.
WITH RECURSIVE part (oid) AS (
    SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2
     UNION
    SELECT i.inhrelid FROM part JOIN pg_inherits i ON i.inhparent = part.oid
)
SELECT part.oid::regclass::text, l.pid, a.application_name, to_char(a.xact_start, 'YYYY-MM-DD HH24:MI:SS TZ')
  FROM pg_locks l
  JOIN part ON part.oid = l.relation
  LEFT JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'relation' AND l.granted AND l.pid <> pg_backend_pid()
   AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
 ORDER BY a.xact_start
 LIMIT 1

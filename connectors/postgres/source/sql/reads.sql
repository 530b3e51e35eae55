-- Which tables called $1 a TRUNCATE would wait for while this transaction has the locks that it has: the table itself is locked, or one of
-- its partitions or children, which a TRUNCATE locks with it. And where they are, so that the destination knows its own ($2: what is
-- read, in words). No row: there are none.
WITH RECURSIVE locked (oid) AS (
    SELECT l.relation
      FROM pg_locks l
     WHERE l.locktype = 'relation' AND l.pid = pg_backend_pid() AND l.granted
       AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
),
part (target, oid) AS (
    SELECT c.oid, c.oid FROM pg_class c WHERE c.relname = $1 AND c.relkind IN ('r', 'p')
     UNION
    SELECT p.target, i.inhrelid FROM part p JOIN pg_inherits i ON i.inhparent = p.oid
)
SELECT json_build_object(
        'server', to_char(pg_postmaster_start_time() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'),
        'database', current_database(),
        'reads', $2::text,
        'tables', json_agg(DISTINCT p.target::bigint))
  FROM part p JOIN locked l ON l.oid = p.oid
HAVING count(*) > 0

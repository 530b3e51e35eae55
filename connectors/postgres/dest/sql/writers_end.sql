-- Ends the server processes that are in a transaction which writes for a pipeline ($1: the number that they have locked), but this one;
-- returns those that are still there. Under the pipeline's lock they are of a run that is over.
SELECT l.pid, pg_terminate_backend(l.pid)
  FROM pg_locks AS l
 WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted AND l.pid <> pg_backend_pid()
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (l.classid::int8 << 32 | l.objid::int8) = $1::int8

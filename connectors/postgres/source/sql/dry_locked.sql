-- The relations of this database that somebody has locked, or waits to lock, against reading. 0 is among them on a standby, where some
-- tables can't be read that are like all others in the catalogue.
SELECT l.relation FROM pg_locks l
 WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'
   AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
UNION ALL
SELECT 0 WHERE pg_is_in_recovery()

-- Locks a pipeline ($1) for the session, until it ends. NULL: another session has the lock; else whether no transaction writes for the
-- pipeline ($2: the number that those which do have locked, shared), which is so unless a process of an earlier run is still at work.
SELECT CASE WHEN pg_try_advisory_lock(hashtextextended('rapidbyte ' || $1::text, 0)) THEN pg_try_advisory_xact_lock($2::int8) END

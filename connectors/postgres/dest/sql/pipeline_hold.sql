-- Locks a pipeline ($1) to the transaction's end: where sessions are pooled, a session's lock would be another client's.
SELECT pg_try_advisory_xact_lock(hashtextextended('rapidbyte ' || $1::text, 0))

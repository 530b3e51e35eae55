-- Held by the session until it ends.
SELECT pg_try_advisory_lock(hashtextextended('rapidbyte ' || $1::text, 0))

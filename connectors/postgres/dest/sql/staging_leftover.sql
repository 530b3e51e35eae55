-- Staging whose owner is gone: the lock of its pipeline is free, or ours ($1). The lock is held to the end of
-- the transaction that drops it. What is left of another pipeline's is dropped only where the role may.
SELECT s.name
FROM (SELECT DISTINCT pipeline FROM _rapidbyte.staging) p
JOIN _rapidbyte.staging s USING (pipeline)
WHERE p.pipeline = $1
    OR coalesce((SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_class c
            WHERE c.relnamespace = '_rapidbyte'::regnamespace AND c.relname = s.name), true)
        AND pg_try_advisory_xact_lock(hashtextextended('rapidbyte ' || p.pipeline, 0))
ORDER BY s.name

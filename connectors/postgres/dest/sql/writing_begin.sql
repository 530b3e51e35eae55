-- For a transaction that writes: locks the number of its pipeline ($3), shared, by which the next run finds who may still commit, and
-- says whether the load ($1) is this run's ($2; NULL: any).
SELECT pg_advisory_xact_lock_shared($3::int8),
    $2::text IS NULL OR EXISTS (SELECT FROM _rapidbyte.open_loads WHERE load_id = $1 AND claim = $2)

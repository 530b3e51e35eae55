-- For a transaction that writes: locks the number of its pipeline ($3), shared, by which the next run finds who may still commit; says
-- whether the load ($1) is this run's ($2; NULL: any), and whether nobody had the lock of the pipeline ($4; NULL: it is not asked): the
-- session of this run that took it is gone. It is then taken for this session ($5), or else, shared, to the transaction's end.
SELECT pg_advisory_xact_lock_shared($3::int8),
    $2::text IS NULL OR EXISTS (SELECT FROM _rapidbyte.open_loads WHERE load_id = $1 AND claim = $2),
    CASE WHEN $4::text IS NULL THEN false
        WHEN $5::bool THEN pg_try_advisory_lock(hashtextextended('rapidbyte ' || $4::text, 0))
        ELSE pg_try_advisory_xact_lock_shared(hashtextextended('rapidbyte ' || $4::text, 0)) END

-- No row: the unit is loaded already, by a session of an earlier attempt whose COMMIT was under way; or the load is not this run's
-- ($19; NULL: any) any more. One that never became visible, of a unit of another attempt or snapshot, gives way. What is committed
-- with it is to outlive a crash of the server. The claim is locked until then: who takes the load over sees this receipt, or it is
-- not written.
-- What the table is like now ($15; NULL: as before) is written where it is another than the last receipt said.
WITH shape AS (
    INSERT INTO _rapidbyte.tables AS t (target, pipeline, stream, relation, ledger, made, source)
    SELECT $13, $4, $2, to_regclass(format('%I.%I', $16::text, $17::text)), '_rapidbyte.tables'::regclass,
           (j->>'made')::bool OR EXISTS (
                SELECT FROM _rapidbyte.tables m WHERE m.target = $13 AND m.made
                    AND (m.relation = (j->>'was')::oid OR m.ledger <> '_rapidbyte.tables'::regclass::oid)), j->>'source'
      FROM (SELECT $15::json) s (j) WHERE j IS NOT NULL
    ON CONFLICT (target, pipeline, stream) DO UPDATE
        SET relation = EXCLUDED.relation, ledger = EXCLUDED.ledger, made = EXCLUDED.made, source = EXCLUDED.source
        WHERE (t.relation, t.ledger, t.made, t.source) IS DISTINCT FROM (EXCLUDED.relation, EXCLUDED.ledger, EXCLUDED.made, EXCLUDED.source)
)
INSERT INTO _rapidbyte.loads (load_id, stream, unit, pipeline, attempt, mode, visible, rows, bytes, checksum,
    checkpoint, source_snapshot, source_system, target, started, rejected, sync, target_oid, ledger_oid)
SELECT $1, $2, $3::int8, $4, $5::int8, $6, $7::bool, $8::int8, $9::int8, $10, $11::json, $12::json,
    $12::json ->> 'system_identifier', $13, transaction_timestamp(), $14::int8, $18,
    to_regclass(format('%I.%I', $16::text, $17::text)),
    '_rapidbyte.loads'::regclass::oid
 WHERE set_config('synchronous_commit',
    CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true) IS NOT NULL
    AND ($19::text IS NULL OR EXISTS (SELECT FROM _rapidbyte.open_loads WHERE load_id = $1 AND claim = $19 FOR SHARE))
ON CONFLICT (load_id, stream, unit, target) DO UPDATE
    SET attempt = EXCLUDED.attempt, mode = EXCLUDED.mode, visible = EXCLUDED.visible, rows = EXCLUDED.rows, bytes = EXCLUDED.bytes,
        checksum = EXCLUDED.checksum, checkpoint = EXCLUDED.checkpoint, source_snapshot = EXCLUDED.source_snapshot,
        source_system = EXCLUDED.source_system, started = EXCLUDED.started, rejected = EXCLUDED.rejected, sync = EXCLUDED.sync,
        target_oid = EXCLUDED.target_oid, ledger_oid = EXCLUDED.ledger_oid
    WHERE NOT loads.visible
        AND (loads.attempt, loads.source_snapshot::text) IS DISTINCT FROM (EXCLUDED.attempt, EXCLUDED.source_snapshot::text)

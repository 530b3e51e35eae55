-- Of each stream ($2: a JSON array of objects with stream and table, in the schema $3) in order, what the load ($1) has of it: whether
-- the receipt that makes it whole stands, the rows and bytes that are visible, and the parts that were committed before it.
-- What it says of tables that are gone is void: a run has written that down already (ledger_void_receipts.sql), a check does not.
SELECT r.*
  FROM json_array_elements($2::json) WITH ORDINALITY AS e (stream, at)
 CROSS JOIN (SELECT '_rapidbyte.loads'::regclass::oid) AS ledger (oid)
 CROSS JOIN LATERAL (SELECT e.stream->>'stream', $3::text || '.' || (e.stream->>'table'),
        (SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
          WHERE n.nspname = $3 AND c.relname = e.stream->>'table')) AS s (name, target, oid)
 CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE mode <> 'checkpoint') > 0, sum(l.rows), sum(bytes), count(*) FILTER (WHERE mode = 'checkpoint')
          FROM _rapidbyte.loads AS l WHERE l.load_id = $1 AND l.stream = s.name AND l.target = s.target AND l.visible
           AND s.oid IS NOT NULL AND (l.target_oid IS NULL OR l.ledger_oid <> ledger.oid OR l.target_oid = s.oid)
       ) AS r
 ORDER BY e.at

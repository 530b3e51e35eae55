-- Of each stream ($2: a JSON array of objects with stream and table, in the schema $3; append: rows are added) in order: the newest
-- committed checkpoint that the pipeline ($1) has of it, of whatever load, for the table that is there now; and whether none is there:
-- then what the ledger says of it is void (ledger_void_*.sql).
-- Where rows are added, a checkpoint from before the table was loaded as a whole says nothing: rows beyond it are there.
SELECT newest.checkpoint, newest.load_id, s.oid IS NULL
  FROM json_array_elements($2::json) WITH ORDINALITY AS e (stream, at)
 CROSS JOIN (SELECT '_rapidbyte.loads'::regclass::oid) AS ledger (oid)
 CROSS JOIN LATERAL (SELECT e.stream->>'stream', $3::text || '.' || (e.stream->>'table'),
        (SELECT c.oid FROM pg_class AS c WHERE c.relname = e.stream->>'table'
            AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $3))) AS s (name, target, oid)
  LEFT JOIN LATERAL (
        SELECT l.checkpoint, l.load_id, l.seq FROM _rapidbyte.loads AS l
         WHERE l.pipeline = $1 AND l.stream = s.name AND l.visible AND l.checkpoint IS NOT NULL AND s.oid IS NOT NULL
           AND (l.target = '' OR (l.target = s.target AND (l.target_oid IS NULL OR l.ledger_oid <> ledger.oid OR l.target_oid = s.oid)))
         ORDER BY l.seq DESC LIMIT 1
       ) AS newest ON NOT (coalesce((e.stream->>'append')::bool, false) AND EXISTS (
            SELECT FROM _rapidbyte.loads AS l WHERE l.pipeline = $1 AND l.stream = s.name AND l.visible AND l.target = s.target
               AND l.seq > newest.seq AND l.sync = 'full_refresh' AND l.checkpoint IS NULL))
 ORDER BY e.at

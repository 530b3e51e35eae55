-- Of each stream ($4: a JSON array of objects with stream and table, in the schema $3; append: rows are added; whole: all of the table's)
-- in order: what the load ($1) has of it, that is whether the receipt that makes it whole stands, the rows and bytes that are visible,
-- and the parts that were committed before it; the newest committed checkpoint that the pipeline ($2) has of it, of whatever load, for
-- the table that is there now; and, of a table to be appended whole, the newest unfinished load that did so (with $5: not longer ago than so
-- many milliseconds; NULL: whenever; negative: none), when that began (milliseconds since 1970), its rows and its document.
-- What it says of tables that are gone is void: a run has written that down already (ledger_void_*.sql), a check does not.
-- Where rows are added, a checkpoint from before the table was loaded as a whole says nothing: rows beyond it are there.
SELECT r.*, k.checkpoint, k.load_id, a.load_id, a.started, a.rows, a.document
  FROM json_array_elements($4::json) WITH ORDINALITY AS e (stream, at)
 CROSS JOIN (SELECT '_rapidbyte.loads'::regclass::oid) AS ledger (oid)
 CROSS JOIN LATERAL (SELECT e.stream->>'stream', $3::text || '.' || (e.stream->>'table'),
        (SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
          WHERE n.nspname = $3 AND c.relname = e.stream->>'table')) AS s (name, target, oid)
 CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE mode <> 'checkpoint') > 0, sum(l.rows), sum(bytes), count(*) FILTER (WHERE mode = 'checkpoint')
          FROM _rapidbyte.loads AS l WHERE l.load_id = $1 AND l.stream = s.name AND l.target = s.target AND l.visible
           AND s.oid IS NOT NULL AND (l.target_oid IS NULL OR l.ledger_oid <> ledger.oid OR l.target_oid = s.oid)
       ) AS r
  LEFT JOIN LATERAL (
        SELECT l.checkpoint, l.load_id, l.seq FROM _rapidbyte.loads AS l
         WHERE l.pipeline = $2 AND l.stream = s.name AND l.visible AND l.checkpoint IS NOT NULL AND s.oid IS NOT NULL
           AND (l.target = '' OR (l.target = s.target AND (l.target_oid IS NULL OR l.ledger_oid <> ledger.oid OR l.target_oid = s.oid)))
         ORDER BY l.seq DESC LIMIT 1
       ) AS newest ON true
  LEFT JOIN LATERAL (
        SELECT newest.checkpoint, newest.load_id
         WHERE NOT coalesce((e.stream->>'append')::bool, false) OR NOT EXISTS (
            SELECT FROM _rapidbyte.loads AS l WHERE l.pipeline = $2 AND l.stream = s.name AND l.visible AND l.target = s.target
               AND l.seq > newest.seq AND l.sync = 'full_refresh' AND l.checkpoint IS NULL)
       ) AS k ON true
  LEFT JOIN LATERAL (
        SELECT l.load_id, floor(extract(epoch FROM o.started) * 1000)::int8 AS started, l.rows, o.document
          FROM _rapidbyte.open_loads AS o JOIN _rapidbyte.loads AS l USING (load_id)
         WHERE coalesce((e.stream->>'whole')::bool, false) AND o.pipeline = $2 AND o.ended IS NULL AND o.load_id <> $1
           AND ($5::int8 IS NULL OR o.started > clock_timestamp() - $5::int8 * interval '1 millisecond')
           AND l.stream = s.name AND l.target = s.target AND l.visible AND l.mode = 'append'
           AND coalesce(l.sync = 'full_refresh', l.checkpoint IS NULL)
           AND (l.target_oid IS NULL OR l.ledger_oid <> ledger.oid OR l.target_oid = s.oid)
         ORDER BY l.seq DESC LIMIT 1
       ) AS a ON true
 ORDER BY e.at

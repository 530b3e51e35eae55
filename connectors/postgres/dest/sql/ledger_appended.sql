-- Of each stream ($3: a JSON array of objects with stream and table, in the schema $4; whole: all of the table's rows are added) in
-- order: the newest unfinished load of the pipeline ($2), but this one ($1), that has appended the table whole (with $5: not longer ago
-- than so many milliseconds; NULL: whenever; negative: none), when that began (milliseconds since 1970), its rows and its document.
SELECT a.*
  FROM json_array_elements($3::json) WITH ORDINALITY AS e (stream, at)
 CROSS JOIN (SELECT '_rapidbyte.loads'::regclass::oid) AS ledger (oid)
 CROSS JOIN LATERAL (SELECT e.stream->>'stream', $4::text || '.' || (e.stream->>'table'),
        (SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
          WHERE n.nspname = $4 AND c.relname = e.stream->>'table')) AS s (name, target, oid)
  LEFT JOIN LATERAL (
        SELECT l.load_id, floor(extract(epoch FROM o.started) * 1000)::int8, l.rows, o.document
          FROM _rapidbyte.open_loads AS o JOIN _rapidbyte.loads AS l USING (load_id)
         WHERE coalesce((e.stream->>'whole')::bool, false) AND o.pipeline = $2 AND o.ended IS NULL AND o.load_id <> $1
           AND ($5::int8 IS NULL OR o.started > clock_timestamp() - $5::int8 * interval '1 millisecond')
           AND l.stream = s.name AND l.target = s.target AND l.visible AND l.mode = 'append'
           AND coalesce(l.sync = 'full_refresh', l.checkpoint IS NULL)
           AND (l.target_oid IS NULL OR l.ledger_oid <> ledger.oid OR l.target_oid = s.oid)
         ORDER BY l.seq DESC LIMIT 1
       ) AS a ON true
 ORDER BY e.at

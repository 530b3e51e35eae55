-- Of each stream ($4: a JSON array of objects with stream and table, in the schema $3), in order: what the load ($1) has of it, that
-- is whether the receipt that makes it whole stands, the rows and bytes that are visible, and the parts that were committed before it;
-- then the newest committed checkpoint that the pipeline ($2) has of it, of whatever load.
SELECT r.*, k.checkpoint, k.load_id
  FROM json_array_elements($4::json) WITH ORDINALITY AS e (stream, at)
 CROSS JOIN LATERAL (SELECT e.stream->>'stream', $3::text || '.' || (e.stream->>'table')) AS s (name, target)
 CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE mode <> 'checkpoint') > 0, sum(l.rows), sum(bytes), count(*) FILTER (WHERE mode = 'checkpoint')
          FROM _rapidbyte.loads AS l WHERE l.load_id = $1 AND l.stream = s.name AND l.target = s.target AND l.visible
       ) AS r
  LEFT JOIN LATERAL (
        SELECT l.checkpoint, l.load_id FROM _rapidbyte.loads AS l
         WHERE l.pipeline = $2 AND l.stream = s.name AND l.visible AND l.checkpoint IS NOT NULL AND l.target IN (s.target, '')
         ORDER BY l.seq DESC LIMIT 1
       ) AS k ON true
 ORDER BY e.at

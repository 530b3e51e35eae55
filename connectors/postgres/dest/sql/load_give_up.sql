-- The unfinished loads of a pipeline ($1), or the one of them with a key ($2) or a number ($3), are given up. A key can then name a new
-- load.
UPDATE _rapidbyte.open_loads AS o SET ended = clock_timestamp(), claim = NULL, key = NULL
  FROM _rapidbyte.open_loads AS before
 WHERE before.load_id = o.load_id AND o.pipeline = $1 AND o.ended IS NULL
   AND ($2::text IS NULL OR o.key = $2) AND ($3::text IS NULL OR o.load_id = $3)
RETURNING o.load_id, before.key, floor(extract(epoch FROM o.started) * 1000)::int8

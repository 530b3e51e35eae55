-- The load ($1) of a pipeline ($2) is over when each stream that it was to bring, and that the document ($3, null: any) still has, has
-- its receipt. Loads without a key that share streams belong together, and are over together: a stream that one of them has appended
-- as a whole the others have left out, and what one lacks a later one brings. Only the run ($4; NULL: any) that has claimed the load may
-- say so. What is said to be over stays over.
WITH wanted AS (
    SELECT o.load_id, o.key, o.seq, o.started, s.name
      FROM _rapidbyte.open_loads AS o CROSS JOIN LATERAL json_array_elements_text(o.streams) AS s (name)
     WHERE o.pipeline = $2 AND o.ended IS NULL AND (o.key IS NULL OR o.load_id = $1)
       AND ($3::json IS NULL OR s.name IN (SELECT json_array_elements_text($3::json)))
), lacking AS (
    SELECT DISTINCT w.load_id FROM wanted AS w WHERE NOT EXISTS (
        SELECT FROM _rapidbyte.loads AS l JOIN _rapidbyte.open_loads AS x USING (load_id)
         WHERE l.pipeline = $2 AND l.stream = w.name AND l.visible AND l.mode NOT IN ('checkpoint', 'set')
           AND (x.load_id = w.load_id OR (w.key IS NULL AND (x.seq > w.seq OR ((x.ended IS NULL OR x.ended > w.started)
                AND l.mode = 'append' AND coalesce(l.sync = 'full_refresh', l.checkpoint IS NULL))))))
)
UPDATE _rapidbyte.open_loads AS o SET ended = clock_timestamp(), claim = NULL
  FROM _rapidbyte.open_loads AS mine
 WHERE mine.load_id = $1 AND mine.pipeline = $2 AND ($4::text IS NULL OR mine.claim = $4)
    AND o.pipeline = $2 AND o.ended IS NULL AND (o.key IS NULL OR o.load_id = $1)
    AND set_config('synchronous_commit',
        CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true) IS NOT NULL
    AND o.load_id NOT IN (SELECT load_id FROM lacking)
    AND NOT EXISTS (SELECT FROM wanted AS own JOIN wanted AS other USING (name) JOIN lacking ON lacking.load_id = other.load_id
        WHERE own.load_id = o.load_id AND own.key IS NULL AND other.key IS NULL)

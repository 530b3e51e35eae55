-- The load ($1) of a pipeline ($2) is over, unless a stream that it was to bring, and that the document ($3, null: any) still
-- has, lacks its receipt: a run of some streams alone does not end the load of all. What is said to be over stays over.
UPDATE _rapidbyte.open_loads AS o SET ended = clock_timestamp() WHERE o.load_id = $1 AND o.pipeline = $2
    AND set_config('synchronous_commit',
        CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true) IS NOT NULL
    AND NOT EXISTS (
        SELECT FROM json_array_elements_text(o.streams) AS wanted (name)
        WHERE ($3::json IS NULL OR wanted.name IN (SELECT json_array_elements_text($3::json)))
            AND NOT EXISTS (SELECT FROM _rapidbyte.loads AS l
                WHERE l.load_id = o.load_id AND l.stream = wanted.name AND l.visible AND l.mode <> 'checkpoint'))

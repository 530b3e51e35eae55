-- An unfinished load ($1) goes on, for these streams ($2) as well, by another run ($3). Whoever has checked its claim and not committed
-- yet is waited for: by then that run's sessions have been ended.
UPDATE _rapidbyte.open_loads AS o SET claim = $3, streams = (
    SELECT json_agg(s.name) FROM (
        SELECT json_array_elements_text(o.streams) AS name UNION SELECT json_array_elements_text($2::json)
    ) AS s)
WHERE o.load_id = $1

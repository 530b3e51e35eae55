-- An unfinished load ($1) is taken up, for these streams ($2) as well.
UPDATE _rapidbyte.open_loads AS o SET streams = (
    SELECT json_agg(s.name) FROM (
        SELECT json_array_elements_text(o.streams) AS name UNION SELECT json_array_elements_text($2::json)
    ) AS s)
WHERE o.load_id = $1

-- Of a pipeline ($1): the load that did not end, or NULL; and how long ago one ended, in milliseconds of this server's clock.
SELECT (SELECT load_id FROM _rapidbyte.open_loads WHERE pipeline = $1 AND ended IS NULL ORDER BY started DESC LIMIT 1),
    (SELECT floor(extract(epoch FROM clock_timestamp() - max(ended)) * 1000)::int8 FROM _rapidbyte.open_loads WHERE pipeline = $1)

INSERT INTO _rapidbyte.open_loads (load_id, pipeline) VALUES ($1, $2)
ON CONFLICT (load_id) DO UPDATE SET ended = NULL

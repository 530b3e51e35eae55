-- A new load ($1) of a pipeline ($2) with the streams ($3) that it is to bring.
INSERT INTO _rapidbyte.open_loads (load_id, pipeline, streams) VALUES ($1, $2, $3::json)
ON CONFLICT (load_id) DO UPDATE SET ended = NULL

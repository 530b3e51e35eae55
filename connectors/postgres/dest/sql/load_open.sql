-- A new load ($1) of a pipeline ($2) with the streams ($3) that it is to bring, its key ($4; NULL: none) and its document ($5), for the
-- run ($6) that begins it.
INSERT INTO _rapidbyte.open_loads (load_id, pipeline, streams, key, document, claim) VALUES ($1, $2, $3::json, $4, $5::json, $6)

INSERT INTO _rapidbyte.staging (name, load_id, pipeline, stream) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING

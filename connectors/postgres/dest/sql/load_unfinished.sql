SELECT load_id FROM _rapidbyte.open_loads WHERE pipeline = $1 AND ended IS NULL ORDER BY started DESC LIMIT 1

DELETE FROM _rapidbyte.open_loads WHERE load_id = $1 AND pipeline = $2

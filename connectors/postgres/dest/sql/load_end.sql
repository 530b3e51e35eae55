UPDATE _rapidbyte.open_loads SET ended = clock_timestamp() WHERE load_id = $1 AND pipeline = $2

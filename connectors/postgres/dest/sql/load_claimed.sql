-- Whether the load ($1) is still this run's ($2).
SELECT EXISTS (SELECT FROM _rapidbyte.open_loads WHERE load_id = $1 AND claim = $2)

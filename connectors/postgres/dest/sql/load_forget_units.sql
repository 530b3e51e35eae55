-- Units are never resumed under another snapshot.
DELETE FROM _rapidbyte.loads WHERE load_id = $1 AND NOT visible

-- Units are never resumed under another snapshot.
WITH r AS (DELETE FROM _rapidbyte.rejected WHERE load_id = $1)
DELETE FROM _rapidbyte.loads WHERE load_id = $1 AND NOT visible

-- The staging $1 is about to take its table's place: what staging_keep.sql left.
DELETE FROM _rapidbyte.staging WHERE name = $1 RETURNING shape, before, encode(carried, 'hex')

DELETE FROM _rapidbyte.staging WHERE name = $1

-- Staging of the load's ($1) stream ($2) that is not $3: an earlier attempt's, or of a snapshot that is gone. With it go the rows that
-- units of it left out.
WITH r AS (DELETE FROM _rapidbyte.rejected WHERE load_id = $1 AND stream = $2)
SELECT name FROM _rapidbyte.staging WHERE load_id = $1 AND stream = $2 AND name <> $3

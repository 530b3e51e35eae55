-- Whether units of a load ($1) and stream ($2) left rows out.
SELECT EXISTS (SELECT FROM _rapidbyte.rejected WHERE load_id = $1 AND stream = $2)

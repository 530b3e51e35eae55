-- What the load ($1) has of a stream ($2) in a table ($3): the receipt that makes it visible.
SELECT rows, bytes FROM _rapidbyte.loads WHERE load_id = $1 AND stream = $2 AND target = $3 AND visible LIMIT 1

-- What the load ($1) has of a stream ($2) in a table ($3): whether the receipt that makes it whole stands, the rows and bytes
-- that are visible, and the parts that were committed before it.
SELECT count(*) FILTER (WHERE mode <> 'checkpoint') > 0, sum(rows), sum(bytes), count(*) FILTER (WHERE mode = 'checkpoint')
  FROM _rapidbyte.loads WHERE load_id = $1 AND stream = $2 AND target = $3 AND visible

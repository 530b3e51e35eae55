-- What the loads that are not over have of a stream ($2; NULL: of every one).
DELETE FROM _rapidbyte.loads l
 USING _rapidbyte.open_loads o
 WHERE o.pipeline = $1 AND o.ended IS NULL AND l.load_id = o.load_id AND ($2::text IS NULL OR l.stream = $2)

-- The newest committed checkpoint of a pipeline ($1) and stream ($2), of whatever load.
SELECT checkpoint, load_id FROM _rapidbyte.loads
WHERE pipeline = $1 AND stream = $2 AND visible AND checkpoint IS NOT NULL
ORDER BY committed DESC LIMIT 1

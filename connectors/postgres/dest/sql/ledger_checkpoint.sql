-- The newest committed checkpoint of a pipeline ($1) and stream ($2) for a table ($3), of whatever load.
SELECT checkpoint, load_id FROM _rapidbyte.loads
WHERE pipeline = $1 AND stream = $2 AND visible AND checkpoint IS NOT NULL AND target IN ($3, '')
ORDER BY seq DESC LIMIT 1

-- The table that the newest checkpoint of a pipeline ($1) and stream ($2) is of, if there is none for the table $3.
SELECT target FROM _rapidbyte.loads
WHERE pipeline = $1 AND stream = $2 AND visible AND checkpoint IS NOT NULL
    AND NOT EXISTS (SELECT FROM _rapidbyte.loads l
        WHERE l.pipeline = $1 AND l.stream = $2 AND l.visible AND l.checkpoint IS NOT NULL AND l.target IN ($3, ''))
ORDER BY seq DESC LIMIT 1

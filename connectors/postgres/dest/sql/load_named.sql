-- The load that a key ($2) or a number ($3) names, of the pipeline ($1) or else of another: its pipeline, and whether it has ended.
SELECT pipeline, ended IS NOT NULL FROM _rapidbyte.open_loads
 WHERE key = $2 OR load_id = $3 ORDER BY pipeline = $1 DESC, seq DESC LIMIT 1

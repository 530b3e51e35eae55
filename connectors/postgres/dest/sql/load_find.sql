-- Of a pipeline ($1): the load that a key ($2; NULL: none) names, or the one ($3) that this run began already, whether it has ended, and
-- its document; how long ago, in milliseconds of this server's clock, a load ended; whether there are unfinished loads but the one ($3);
-- and whether there is staging, of whatever pipeline.
SELECT k.load_id, k.ended IS NOT NULL, k.document,
       (SELECT floor(extract(epoch FROM clock_timestamp() - max(ended)) * 1000)::int8 FROM _rapidbyte.open_loads WHERE pipeline = $1),
       EXISTS (SELECT FROM _rapidbyte.open_loads WHERE pipeline = $1 AND ended IS NULL AND load_id <> $3),
       EXISTS (SELECT FROM _rapidbyte.staging)
  FROM (SELECT) AS one
  LEFT JOIN _rapidbyte.open_loads AS k ON k.pipeline = $1 AND (k.key = $2 OR k.load_id = $3)

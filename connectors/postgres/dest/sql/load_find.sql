-- Of a pipeline ($1): the load that a key ($2; NULL: none) names, or the one ($3) that this run began already, whether it has ended, and
-- its document; and how long ago, in milliseconds of this server's clock, a load ended or an unfinished one committed a stream; and whether
-- there are unfinished loads but the one ($3).
SELECT k.load_id, k.ended IS NOT NULL, k.document, floor(extract(epoch FROM clock_timestamp() - e.at) * 1000)::int8,
       EXISTS (SELECT FROM _rapidbyte.open_loads WHERE pipeline = $1 AND ended IS NULL AND load_id <> $3)
  FROM (SELECT greatest(
            (SELECT max(ended) FROM _rapidbyte.open_loads WHERE pipeline = $1),
            (SELECT max(l.committed) FROM _rapidbyte.open_loads o JOIN _rapidbyte.loads l USING (load_id) WHERE o.pipeline = $1 AND o.ended IS NULL)
       )) AS e (at)
  LEFT JOIN _rapidbyte.open_loads AS k ON k.pipeline = $1 AND (k.key = $2 OR k.load_id = $3)

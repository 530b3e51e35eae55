-- How long ago, in milliseconds of this server's clock, an unfinished load of a pipeline ($1) committed a stream.
SELECT floor(extract(epoch FROM clock_timestamp() - max(l.committed)) * 1000)::int8
  FROM _rapidbyte.open_loads AS o JOIN _rapidbyte.loads AS l USING (load_id) WHERE o.pipeline = $1 AND o.ended IS NULL

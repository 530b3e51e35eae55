-- Rows and content of the demo's tables in schema :schema: the sums of two hashes of every row's text.
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, MDY';
SET IntervalStyle = 'iso_8601';
SET extra_float_digits = 3;
SELECT 'users', count(*), coalesce(sum(hashtextextended(t::text, 0)), 0), coalesce(sum(hashtextextended(t::text, 7)), 0)
  FROM :"schema".users AS t
UNION ALL
SELECT 'orders', count(*), coalesce(sum(hashtextextended(t::text, 0)), 0), coalesce(sum(hashtextextended(t::text, 7)), 0)
  FROM :"schema".orders AS t
UNION ALL
SELECT 'bench_events', count(*), coalesce(sum(hashtextextended(t::text, 0)), 0), coalesce(sum(hashtextextended(t::text, 7)), 0)
  FROM :"schema".bench_events AS t;

-- As content.sql, by each row's text: slower, and no two values of different text are the same.
SET TimeZone = 'UTC';
SET extra_float_digits = 3;
SET bytea_output = 'hex';
SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0),
       coalesce(sum(hashtextextended(t::text, 7)::numeric), 0)
FROM :content AS t;

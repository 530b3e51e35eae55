-- The cursor $1 as a literal, and the start of the window of $2 microseconds, in whole days, before it.
SELECT quote_literal(last::text),
       quote_literal((CASE WHEN last > '4713-01-02 BC'::date + days THEN last - days
                           ELSE '-infinity' END)::text),
       NULL
  FROM (SELECT $1::date, ceil($2::int8 / 86400000000.0)::int4) v (last, days)

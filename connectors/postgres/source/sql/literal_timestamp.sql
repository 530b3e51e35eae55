-- The cursor $1 as a literal, the start of the window of $2 microseconds before it, and its wire form.
SELECT quote_literal(last::text),
       quote_literal((CASE WHEN last > '4713-01-02 BC'::timestamp + step THEN last - step
                           ELSE '-infinity' END)::text),
       encode(timestamp_send(last), 'hex')
  FROM (SELECT $1::timestamp, $2::int8 * '1 microsecond'::interval) v (last, step)

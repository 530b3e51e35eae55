-- The cursor $1 as a literal, and the start of the window of $2 before it, which may not go below the type.
SELECT quote_literal(last::text),
       quote_literal((CASE WHEN last >= -9223372036854775808 + step THEN last - step
                           ELSE -9223372036854775808 END)::text),
       NULL
  FROM (SELECT $1::int8, $2::int8) v (last, step)

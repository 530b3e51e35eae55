-- The cursor $1 as a literal. The type has no window: $2 is not used.
SELECT quote_literal(last::text), NULL, NULL
  FROM (SELECT $1::text, $2::int8) v (last, unused)

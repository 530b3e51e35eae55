-- Between two types ($1, $2; of arrays: their elements, of domains: what they are made of): whether a value of the first may be
-- assigned to a column of the second, whether it may be cast to it, whether that may be cast back, and whether they are
-- json and jsonb.
WITH RECURSIVE base (nth, oid) AS (
    SELECT 1, to_regtype($1)::oid UNION ALL SELECT 2, to_regtype($2)::oid
    UNION ALL
    SELECT b.nth, CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.typelem END
    FROM base b JOIN pg_type t ON t.oid = b.oid WHERE t.typtype = 'd' OR (t.typcategory = 'A' AND t.typelem <> 0)
), leaf AS (
    SELECT b.nth, b.oid, t.typcategory FROM base b JOIN pg_type t ON t.oid = b.oid
    WHERE NOT (t.typtype = 'd' OR (t.typcategory = 'A' AND t.typelem <> 0))
), pair AS (
    SELECT s.oid AS s, d.oid AS d, s.typcategory = 'S' AS s_text, d.typcategory = 'S' AS d_text,
           ($1 LIKE '%]') AS s_array, ($2 LIKE '%]') AS d_array
    FROM leaf s, leaf d WHERE s.nth = 1 AND d.nth = 2
)
SELECT fits AND (s = d OR d_text OR EXISTS (SELECT FROM pg_cast WHERE castsource = s AND casttarget = d AND castcontext IN ('a', 'i'))),
       fits AND (s = d OR s_text OR d_text OR EXISTS (SELECT FROM pg_cast WHERE castsource = s AND casttarget = d)),
       fits AND (s = d OR s_text OR d_text OR EXISTS (SELECT FROM pg_cast WHERE castsource = d AND casttarget = s)),
       s = 'json'::regtype AND d = 'jsonb'::regtype
FROM pair, LATERAL (SELECT s_array = d_array OR (d_text AND NOT d_array) OR (s_text AND NOT s_array) AS fits) f

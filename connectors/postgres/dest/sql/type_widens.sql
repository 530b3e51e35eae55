-- Of two types, as format_type writes them: whether the second ($2) holds every value of the first ($1) unchanged; and the reverse.
WITH t (nth, bare, elements, n, scale) AS (
    SELECT nth, regexp_replace(regexp_replace(name, '\(.*\)', ''), '\[\]$', ''), name LIKE '%[]',
        (regexp_match(name, '\((\d+)'))[1]::int, coalesce((regexp_match(name, ',(-?\d+)\)'))[1]::int, 0)
    FROM (VALUES (1, $1::text), (2, $2::text)) v (nth, name)
), pair AS (
    SELECT a.nth, a.bare AS a, b.bare AS b, a.n AS an, b.n AS bn, a.scale AS ascale, b.scale AS bscale
    FROM t a JOIN t b ON a.nth <> b.nth AND a.elements = b.elements
), widens (nth, so) AS (
    SELECT nth, CASE
        WHEN b = 'numeric' AND bn IS NULL THEN a IN ('numeric', 'smallint', 'integer', 'bigint')
        WHEN a = 'numeric' AND b = 'numeric' THEN an IS NOT NULL AND bscale >= ascale AND bn - bscale >= an - ascale
        WHEN b = 'numeric' THEN bscale >= 0 AND bn - bscale >= CASE a WHEN 'smallint' THEN 5 WHEN 'integer' THEN 10 WHEN 'bigint' THEN 19 END
        WHEN a = 'smallint' THEN b IN ('integer', 'bigint')
        WHEN a = 'integer' THEN b = 'bigint'
        WHEN a = 'real' THEN b = 'double precision'
        WHEN a = 'character varying' AND b = 'text' THEN true
        WHEN a = b AND a IN ('character varying', 'character', 'bit varying', 'timestamp without time zone',
            'timestamp with time zone', 'time without time zone', 'time with time zone') THEN bn IS NULL OR bn >= an
        END
    FROM pair
)
SELECT coalesce(bool_or(so) FILTER (WHERE nth = 1), false), coalesce(bool_or(so) FILTER (WHERE nth = 2), false) FROM widens

-- Statements that make the type described by $2 (JSON, type_definitions.sql) in schema $1; $3 is how the types of its
-- parts are written here, in order (a JSON array). Checks name types and operators without a schema. Each is to be run alone: a check's expression is SQL by its nature.
WITH d AS (
    SELECT j, format('%I.%I', $1::text, j->>'name') AS name, j->>'kind' AS kind FROM (SELECT $2::json) d (j)
), part AS (
    SELECT p.at, p.value->>'name' AS name, ' COLLATE ' || (p.value->>'collation') AS collated, t.value AS type
      FROM d
     CROSS JOIN LATERAL json_array_elements(d.j->'parts') WITH ORDINALITY p (value, at)
      JOIN json_array_elements_text($3::json) WITH ORDINALITY t (value, at) ON t.at = p.at
)
SELECT 'SET LOCAL search_path = ' || concat_ws(', ', quote_ident($1::text), (
            SELECT string_agg(DISTINCT quote_ident(n.nspname), ', ')
              FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace AND n.nspname <> 'pg_catalog')), -1 AS at
 UNION ALL
SELECT CASE kind
       WHEN 'enum' THEN format('CREATE TYPE %s AS ENUM (%s)', name, (
            SELECT string_agg(quote_literal(l.value), ', ' ORDER BY l.at)
              FROM json_array_elements_text(j->'labels') WITH ORDINALITY l (value, at)))
       WHEN 'domain' THEN (
            SELECT format('CREATE DOMAIN %s AS %s%s%s', d.name, type, collated,
                          CASE WHEN (j->>'not_null')::bool THEN ' NOT NULL' END) FROM part)
       WHEN 'composite' THEN format('CREATE TYPE %s AS (%s)', name, (
            SELECT string_agg(format('%I %s%s', p.name, p.type, p.collated), ', ' ORDER BY p.at) FROM part p))
       WHEN 'range' THEN (
            SELECT format('CREATE TYPE %s AS RANGE (SUBTYPE = %s%s)', d.name, type,
                          ', COLLATION = ' || substr(collated, 10)) FROM part)
       END, 0
  FROM d
 UNION ALL
SELECT format('ALTER DOMAIN %s ADD CONSTRAINT %I %s', name, k.value->>0, k.value->>1), k.at
  FROM d CROSS JOIN LATERAL json_array_elements(j->'checks') WITH ORDINALITY k (value, at)
 UNION ALL
SELECT 'SET LOCAL search_path = pg_catalog', 1000000
 ORDER BY at

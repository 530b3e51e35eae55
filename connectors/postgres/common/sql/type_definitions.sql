-- For each type of $1 (OIDs, with the modifiers $2): how to write it and, deepest first, the types that users made which it
-- is made of. Types of pg_catalog and information_schema, and those of extensions, are named; others are described. What is not a
-- property of the type, but of the database it stands in, is left out of a description, so that two can be compared as text.
WITH RECURSIVE root (typid, typmod) AS (
    SELECT DISTINCT r.typid, r.typmod FROM unnest($1::oid[], $2::int4[]) r (typid, typmod)
), element (typid, elem, is_array) AS NOT MATERIALIZED (
    -- int2vector and the like are stored plainly: no arrays of their own.
    SELECT oid, CASE WHEN typcategory = 'A' AND typelem <> 0 AND typstorage <> 'p' THEN typelem ELSE oid END,
           typcategory = 'A' AND typelem <> 0 AND typstorage <> 'p'
      FROM pg_type
), named AS NOT MATERIALIZED (
    SELECT t.oid, t.typname, t.typtype, t.typrelid, t.typbasetype, t.typtypmod, t.typcollation, t.typnotnull, n.nspname,
           n.nspname IN ('pg_catalog', 'information_schema') AS is_system,
           (SELECT x.extname FROM pg_depend d JOIN pg_extension x ON x.oid = d.refobjid
             WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.refclassid = 'pg_extension'::regclass
               AND d.deptype = 'e') AS extension
      FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
), part (owner, position, name, typid, typmod, collid) AS NOT MATERIALIZED (
    SELECT oid, 0::int2, NULL::name, typbasetype, typtypmod, typcollation FROM pg_type WHERE typtype = 'd'
    UNION ALL
    SELECT t.oid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attcollation
      FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE t.typtype = 'c'
    UNION ALL
    SELECT rngtypid, 0::int2, NULL, rngsubtype, -1, rngcollation FROM pg_range
), made (root, typid, depth) AS (
    SELECT root.typid, e.elem, 1 FROM root JOIN element e ON e.typid = root.typid
    UNION
    SELECT made.root, e.elem, made.depth + 1
      FROM made
      JOIN named o ON o.oid = made.typid AND NOT o.is_system AND o.extension IS NULL
      JOIN part p ON p.owner = o.oid
      JOIN element e ON e.typid = p.typid
     WHERE made.depth <= 32
), used (typid, typmod) AS (
    SELECT typid, typmod FROM root
    UNION
    SELECT p.typid, p.typmod FROM made JOIN part p ON p.owner = made.typid
), reference (typid, typmod, text) AS (
    SELECT u.typid, u.typmod,
           jsonb_strip_nulls(jsonb_build_object(
               'builtin', CASE WHEN o.is_system THEN format_type(o.oid, u.typmod) END,
               'extension', o.extension,
               'name', CASE WHEN NOT o.is_system THEN o.typname END,
               'modifiers', CASE WHEN o.extension IS NOT NULL
                   THEN nullif(substr(format_type(o.oid, u.typmod), length(format_type(o.oid, -1)) + 1), '') END,
               'array', CASE WHEN e.is_array THEN true END))
      FROM used u JOIN element e ON e.typid = u.typid JOIN named o ON o.oid = e.elem
), path (text) AS (
    -- Checks name the types without their schemas, which are others at the destination. The elements of the array are evaluated
    -- in their order, long after this statement's own names were looked up.
    SELECT coalesce(string_agg(DISTINCT quote_ident(o.nspname), ', '), 'pg_catalog')
      FROM made JOIN named o ON o.oid = made.typid AND NOT o.is_system
), described (typid, schema, definition) AS (
    SELECT o.oid, o.nspname,
           jsonb_strip_nulls(jsonb_build_object(
               'name', o.typname,
               'kind', CASE o.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'c' THEN 'composite'
                                      WHEN 'r' THEN 'range' WHEN 'm' THEN 'multirange' ELSE 'base' END,
               'labels', (SELECT jsonb_agg(l.enumlabel ORDER BY l.enumsortorder) FROM pg_enum l WHERE l.enumtypid = o.oid),
               'not_null', CASE WHEN o.typtype = 'd' AND o.typnotnull THEN true END,
               'checks', (SELECT jsonb_agg(jsonb_build_array(k.conname, (ARRAY[
                                 set_config('search_path', path.text, true), pg_get_constraintdef(k.oid),
                                 set_config('search_path', 'pg_catalog', true)])[2]) ORDER BY k.conname)
                            FROM pg_constraint k, path WHERE k.contypid = o.oid AND k.contype = 'c'),
               'parts', (SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
                                    'name', p.name, 'type', r.text,
                                    'collation', CASE WHEN p.collid <> pt.typcollation
                                        THEN quote_ident(cn.nspname) || '.' || quote_ident(c.collname) END))
                                  ORDER BY p.position)
                           FROM part p
                           JOIN reference r ON r.typid = p.typid AND r.typmod = p.typmod
                           JOIN pg_type pt ON pt.oid = p.typid
                           LEFT JOIN pg_collation c ON c.oid = p.collid
                           LEFT JOIN pg_namespace cn ON cn.oid = c.collnamespace
                          WHERE p.owner = o.oid),
               -- Another operator class than the subtype's own is not described.
               'opclass', (SELECT oc.opcname FROM pg_range g JOIN pg_opclass oc ON oc.oid = g.rngsubopc
                            WHERE g.rngtypid = o.oid AND NOT oc.opcdefault)))
      FROM named o
     WHERE o.oid IN (SELECT typid FROM made) AND NOT o.is_system AND o.extension IS NULL
)
SELECT root.typid, root.typmod,
       jsonb_build_object(
           'type', r.text,
           'types', coalesce((
               SELECT jsonb_agg(jsonb_build_object(
                          'schema', d.schema, 'definition', d.definition,
                          'row_of_table', EXISTS (SELECT FROM pg_type t JOIN pg_class k ON k.oid = t.typrelid
                                                   WHERE t.oid = d.typid AND k.relkind <> 'c'))
                      ORDER BY m.depth DESC, d.typid)
                 FROM (SELECT typid, max(depth) AS depth FROM made WHERE made.root = root.typid GROUP BY typid) m
                 JOIN described d ON d.typid = m.typid), '[]'::jsonb))
  FROM root JOIN reference r ON r.typid = root.typid AND r.typmod = root.typmod

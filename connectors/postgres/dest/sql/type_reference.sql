-- How the type that $2 refers to (JSON, type_definitions.sql) is written here, where users' types are in schema $1; and as
-- format_type writes it, if it exists. NULL: the extension that it is from is not here.
SELECT n.name || coalesce(r->>'modifiers', '') || suffix, to_regtype(n.name)::text || coalesce(r->>'modifiers', '') || suffix
  FROM (SELECT $2::json) j (r)
 CROSS JOIN LATERAL (SELECT CASE WHEN (r->>'array')::bool THEN '[]' ELSE '' END) s (suffix)
 CROSS JOIN LATERAL (
        SELECT CASE
               WHEN r->>'builtin' IS NOT NULL THEN r->>'builtin'
               WHEN r->>'extension' IS NOT NULL THEN (
                    SELECT format('%I.%I', n.nspname, t.typname)
                      FROM pg_extension x
                      JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = x.oid
                       AND d.classid = 'pg_type'::regclass AND d.deptype = 'e'
                      JOIN pg_type t ON t.oid = d.objid AND t.typname = r->>'name'
                      JOIN pg_namespace n ON n.oid = t.typnamespace
                     WHERE x.extname = r->>'extension')
               ELSE format('%I.%I', $1::text, r->>'name') END
       ) n (name)

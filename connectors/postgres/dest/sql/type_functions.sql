-- What the checks of the domain $2 in schema $1 call that may do more than compute: functions that are volatile, stable ones that
-- are not the system's own, and those that read tables by their names.
SELECT string_agg(DISTINCT p.oid::regprocedure::text, ', ')
  FROM pg_type t
  JOIN pg_namespace n ON n.oid = t.typnamespace
  JOIN pg_constraint k ON k.contypid = t.oid
 CROSS JOIN LATERAL regexp_matches(k.conbin::text, ':(?:func|opfunc|hashfunc|negfunc)id (\d+)', 'g') m
  JOIN pg_proc p ON p.oid = m[1]::oid
 WHERE n.nspname = $1 AND t.typname = $2
   AND NOT (p.provolatile = 'i'
            OR p.provolatile = 's' AND p.pronamespace = 'pg_catalog'::regnamespace AND p.proname !~ '_to_xml')

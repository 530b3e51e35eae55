-- A temporary table whose row type wraps columns of array types ($1: OIDs of pg_catalog's, in order), which unnest would
-- take apart. By their names: regtype writes bit[], which is bit(1)[]. NULL when one of them is none here.
SELECT format('CREATE TEMPORARY TABLE rapidbyte_arrays (%s) ON COMMIT DROP',
              string_agg(format('a%s pg_catalog.%I', i, t.typname), ', ' ORDER BY i))
  FROM unnest($1::oid[]) WITH ORDINALITY k (oid, i)
  LEFT JOIN pg_type t ON t.oid = k.oid AND t.typelem <> 0
HAVING bool_and(t.oid IS NOT NULL)

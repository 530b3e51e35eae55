-- The operator of equality by which a unique index compares each of the types $1 (a JSON array of names), in order: that of the type's default class for
-- btree; of types that have no class of their own it is pg_catalog's.
SELECT coalesce(format('OPERATOR(%I.%s)', n.nspname, o.oprname), 'OPERATOR(pg_catalog.=)')
  FROM json_array_elements_text($1::json) WITH ORDINALITY AS k (name, i)
  LEFT JOIN pg_type t ON t.oid = to_regtype(k.name)
  LEFT JOIN pg_opclass c ON c.opcintype = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END AND c.opcdefault
        AND c.opcmethod = (SELECT oid FROM pg_am WHERE amname = 'btree')
  LEFT JOIN pg_amop a ON a.amopfamily = c.opcfamily AND a.amopstrategy = 3 AND a.amoplefttype = c.opcintype AND a.amoprighttype = c.opcintype
  LEFT JOIN pg_operator o ON o.oid = a.amopopr
  LEFT JOIN pg_namespace n ON n.oid = o.oprnamespace
 ORDER BY k.i

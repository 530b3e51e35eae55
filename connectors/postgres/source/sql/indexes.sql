-- The indexes of the table $1 beside its primary key, in parts (docs/protocol.md, "Arrow fields"). Of one that has expressions, a
-- predicate or is an exclusion's only the name is told.
SELECT coalesce(json_agg(json_strip_nulls(json_build_object(
        'name', x.relname,
        'method', CASE WHEN i.indexprs IS NULL AND i.indpred IS NULL AND NOT i.indisexclusion THEN m.amname END,
        'unique', i.indisunique,
        'nulls_not_distinct', to_jsonb(i)->'indnullsnotdistinct',
        'key', (SELECT json_agg(json_strip_nulls(json_build_object(
                    'column', a.attname,
                    'desc', (i.indoption[k.at - 1] & 1) = 1,
                    'nulls_first', (i.indoption[k.at - 1] & 2) = 2,
                    'opclass', CASE WHEN NOT o.opcdefault THEN o.opcname END)) ORDER BY k.at)
                FROM unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, at)
                JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                JOIN pg_opclass o ON o.oid = i.indclass[k.at - 1]
                WHERE k.at <= i.indnkeyatts),
        'include', (SELECT json_agg(a.attname ORDER BY k.at)
                FROM unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, at)
                JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                WHERE k.at > i.indnkeyatts))) ORDER BY x.relname COLLATE "C"), '[]')
FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
WHERE i.indrelid = $1::oid AND i.indisvalid AND NOT i.indisprimary

-- Statements that give the table $1 (its OID) what it lacks of the source's keys and indexes: $2, the primary key's columns (JSON; NULL:
-- none), $3, other indexes in parts (NULL: none). $4: the schema and $5: the table where it will be, whose names must be free. A statement
-- that is NULL: the index has something that is not made from parts.
WITH t AS (
    SELECT c.oid, c.oid::regclass AS name, n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::oid
), part AS (
    SELECT i.at, i.value AS v, i.value->>'name' AS name, k.cols, k.text AS key_text,
        (SELECT string_agg(quote_ident(c.value), ', ') FROM json_array_elements_text(i.value->'include') c) AS include_text,
        k.known AND NOT EXISTS (SELECT FROM json_array_elements_text(i.value->'include') c
            WHERE c.value NOT IN (SELECT attname FROM pg_attribute WHERE attrelid = t.oid AND attnum > 0 AND NOT attisdropped)) AS known
    FROM t, json_array_elements($3::json) WITH ORDINALITY i (value, at)
    CROSS JOIN LATERAL (
        SELECT array_agg(p.value->>'column' ORDER BY p.at), bool_and(a.attname IS NOT NULL AND (p.value->>'opclass' IS NULL OR o.name IS NOT NULL)),
            string_agg(quote_ident(p.value->>'column') || coalesce(' ' || o.name, '')
                || CASE WHEN m.orders THEN CASE WHEN (p.value->>'desc')::bool THEN ' DESC' ELSE ' ASC' END
                || CASE WHEN (p.value->>'nulls_first')::bool THEN ' NULLS FIRST' ELSE ' NULLS LAST' END ELSE '' END, ', ' ORDER BY p.at)
        FROM json_array_elements(i.value->'key') WITH ORDINALITY p (value, at)
        CROSS JOIN LATERAL (SELECT i.value->>'method' = 'btree') m (orders)
        LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attname = p.value->>'column' AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN LATERAL (
            SELECT format('%I.%I', n.nspname, c.opcname) AS name FROM pg_opclass c JOIN pg_am am ON am.oid = c.opcmethod JOIN pg_namespace n ON n.oid = c.opcnamespace
            WHERE c.opcname = p.value->>'opclass' AND am.amname = i.value->>'method' ORDER BY n.nspname <> 'pg_catalog' LIMIT 1) o ON true
    ) k (cols, known, text)
), free (at, name) AS (
    SELECT part.at, part.name FROM part, t WHERE NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relname = part.name AND n.nspname IN ($4, t.nspname))
)
SELECT format('ALTER TABLE %s ADD %sPRIMARY KEY (%s)', t.name, (
            SELECT format('CONSTRAINT %I ', k.name) FROM (SELECT left($5, 58) || '_pkey') k (name) WHERE NOT EXISTS (
                SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = k.name AND n.nspname IN ($4, t.nspname))),
        (SELECT string_agg(quote_ident(c.value), ', ' ORDER BY c.ordinality) FROM json_array_elements_text($2::json) WITH ORDINALITY c)), 'the primary key'
FROM t WHERE json_array_length($2::json) > 0 AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = t.oid AND i.indisprimary)
UNION ALL
SELECT CASE WHEN part.v->>'method' IS NOT NULL AND part.known AND EXISTS (SELECT FROM pg_am WHERE amname = part.v->>'method') THEN
    format('CREATE %sINDEX %son %s USING %I (%s)%s%s', CASE WHEN (part.v->>'unique')::bool THEN 'UNIQUE ' ELSE '' END,
        (SELECT format('%I ', f.name) FROM free f WHERE f.at = part.at), t.name, part.v->>'method', part.key_text,
        ' INCLUDE (' || part.include_text || ')', CASE WHEN (part.v->>'nulls_not_distinct')::bool THEN ' NULLS NOT DISTINCT' END) END, part.name
FROM part, t
WHERE NOT EXISTS (
    SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
    WHERE i.indrelid = t.oid AND part.v->>'method' = m.amname AND i.indisunique = (part.v->>'unique')::bool AND i.indpred IS NULL AND i.indexprs IS NULL
        AND (SELECT array_agg(a.attname::text ORDER BY k.at) FROM unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, at)
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.at <= i.indnkeyatts) = part.cols)

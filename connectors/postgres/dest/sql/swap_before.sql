-- Of the table that is to be replaced ($1): what LIKE leaves out and only CREATE TABLE can say, access method and tablespace; and what
-- the new one is made like, a JSON array of [what, its hash]: what differs when the two are exchanged would be lost.
WITH c AS (
    SELECT format('column %I', a.attname) AS what, concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
        a.attgenerated, a.attstorage, to_jsonb(a) ->> 'attcompression', m.description,
        pg_get_expr(d.adbin, d.adrelid)) AS signature
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    LEFT JOIN pg_description m ON m.objoid = a.attrelid AND m.classoid = 'pg_class'::regclass AND m.objsubid = a.attnum
    WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
), i AS (
    SELECT format('index %I', x.relname), concat_ws('|', i.indisunique, i.indisprimary, i.indisexclusion, i.indoption, i.indclass,
        i.indcollation, pg_get_expr(i.indpred, i.indrelid), to_jsonb(i) -> 'indnullsnotdistinct',
        (SELECT string_agg(pg_get_indexdef(i.indexrelid, k, false), '|' ORDER BY k) FROM generate_series(1, i.indnatts) k))
    FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = $1::oid
), k AS (
    SELECT format('constraint %I', conname), pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'c' AND conrelid = $1::oid
), x AS (
    SELECT format('statistics object %I', stxname), stxkind::text || substring(pg_get_statisticsobjdef(oid) FROM ' ON .* FROM ')
    FROM pg_statistic_ext WHERE stxrelid = $1::oid
)
SELECT format(' USING %I TABLESPACE %I', a.amname, s.spcname), (
    SELECT json_agg(json_build_array(what, hashtextextended(signature, 0)::text))
    FROM (SELECT * FROM c UNION ALL SELECT * FROM i UNION ALL SELECT * FROM k UNION ALL SELECT * FROM x) n)
FROM pg_class t JOIN pg_am a ON a.oid = t.relam
JOIN pg_tablespace s ON s.oid = CASE WHEN t.reltablespace <> 0 THEN t.reltablespace
    ELSE (SELECT dattablespace FROM pg_database WHERE datname = current_database()) END
WHERE t.oid = $1::oid

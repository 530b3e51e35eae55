-- What the old table ($1) got while the new one ($2), made like it, was loaded: it would be lost by the swap. $3: NOT NULL may be
-- lost, because the source's columns are not.
WITH c AS (
    SELECT a.attrelid, concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN NOT $3::bool THEN a.attnotnull END, a.attidentity, a.attgenerated, a.attstorage,
        to_jsonb(a) ->> 'attcompression', col_description(a.attrelid, a.attnum),
        pg_get_expr(d.adbin, d.adrelid)) AS signature, format('column %I', a.attname) AS what
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid IN ($1::oid, $2::oid) AND a.attnum > 0 AND NOT a.attisdropped
), i AS (
    SELECT i.indrelid, concat_ws('|', i.indisunique, i.indisprimary, i.indisexclusion, i.indoption, i.indclass, i.indcollation,
        pg_get_expr(i.indpred, i.indrelid), to_jsonb(i) -> 'indnullsnotdistinct', (SELECT string_agg(pg_get_indexdef(i.indexrelid, k, false), '|' ORDER BY k)
             FROM generate_series(1, i.indnatts) k)) AS signature, format('index %I', x.relname) AS what
    FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid IN ($1::oid, $2::oid)
), k AS (
    SELECT conrelid, concat_ws(' ', conname, pg_get_constraintdef(oid)) AS signature, format('constraint %I', conname) AS what
    FROM pg_constraint WHERE contype = 'c' AND conrelid IN ($1::oid, $2::oid)
), x AS (
    SELECT stxrelid, md5(stxkind::text || substring(pg_get_statisticsobjdef(oid) FROM ' ON .* FROM ')), format('statistics object %I', stxname)
    FROM pg_statistic_ext WHERE stxrelid IN ($1::oid, $2::oid)
), n AS (
    SELECT *, row_number() OVER (PARTITION BY relid, signature) AS nth
    FROM (SELECT * FROM c UNION ALL SELECT * FROM i UNION ALL SELECT * FROM k UNION ALL SELECT * FROM x) a (relid, signature, what)
)
SELECT string_agg(o.what, ', ' ORDER BY o.what) FROM n o
WHERE o.relid = $1::oid AND NOT EXISTS (
    SELECT FROM n WHERE n.relid = $2::oid AND n.signature = o.signature AND n.nth = o.nth)

-- Statements, to be run once the old table is gone, that give indexes (with the constraints they serve), identity
-- sequences and statistics objects of the new table ($2) the names they had on the old one ($1), and say of the table what is said
-- by the names of indexes. Asked for while both exist.
WITH i AS (
    SELECT i.indrelid, x.relname, i.indexrelid, x.relnamespace, i.indisclustered, i.indisreplident,
        md5(concat_ws('|', x.relam, i.indisunique, i.indisprimary, i.indisexclusion, i.indoption, i.indcollation,
            (SELECT string_agg(CASE WHEN NOT o.opcdefault THEN o.opcname END, '|' ORDER BY o.opcname)
             FROM unnest(i.indclass::oid[]) AS u (oid) JOIN pg_opclass o ON o.oid = u.oid),
            pg_get_expr(i.indpred, i.indrelid), x.reloptions, to_jsonb(i) -> 'indnullsnotdistinct',
            -- Without casts and what they are in: a column that is of another type now has others.
            (SELECT string_agg(regexp_replace(pg_get_indexdef(i.indexrelid, k, false),
                                              '::[a-z ]+(\(\d+(,\d+)?\))?|[()]', '', 'g'), '|' ORDER BY k)
             FROM generate_series(1, i.indnatts) k))) AS signature
    FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid IN ($1::oid, $2::oid)
), numbered AS (
    SELECT *, row_number() OVER (PARTITION BY indrelid, signature ORDER BY indexrelid) AS nth FROM i
), s AS (
    SELECT d.refobjid, c.attname, q.relname, q.oid
    FROM pg_depend d JOIN pg_class q ON q.oid = d.objid AND q.relkind = 'S'
    JOIN pg_attribute c ON c.attrelid = d.refobjid AND c.attnum = d.refobjsubid
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'i'
        AND d.refobjid IN ($1::oid, $2::oid)
), x AS (
    SELECT e.*, row_number() OVER (PARTITION BY stxrelid, signature ORDER BY oid) AS nth
    FROM (SELECT *, md5(stxkind::text || substring(pg_get_statisticsobjdef(oid) FROM ' ON .* FROM ')) AS signature
          FROM pg_statistic_ext WHERE stxrelid IN ($1::oid, $2::oid)) e
)
SELECT s FROM (
    SELECT 1 AS at, format('ALTER INDEX %s RENAME TO %I', b.indexrelid::regclass, a.relname) AS s
    FROM numbered a JOIN numbered b USING (signature, nth) WHERE a.indrelid = $1::oid AND b.indrelid = $2::oid
    UNION ALL
    SELECT 0, format('ALTER INDEX %s ALTER COLUMN %s SET STATISTICS %s', b.indexrelid::regclass, c.attnum, c.attstattarget)
    FROM numbered a JOIN numbered b USING (signature, nth) JOIN pg_attribute c ON c.attrelid = a.indexrelid AND c.attstattarget >= 0
    WHERE a.indrelid = $1::oid AND b.indrelid = $2::oid
    UNION ALL
    SELECT 2, format(m.s, $2::oid::regclass, relname)
    FROM i CROSS JOIN LATERAL (VALUES (indisclustered, 'ALTER TABLE %s CLUSTER ON %I'),
        (indisreplident, 'ALTER TABLE %s REPLICA IDENTITY USING INDEX %I')) m (is_so, s)
    WHERE indrelid = $1::oid AND m.is_so
    UNION ALL
    -- LIKE takes the comments of checks and of indexes along, of the constraints that indexes serve it does not.
    SELECT 2, format('COMMENT ON CONSTRAINT %I ON %s IS %L', k.conname, $2::oid::regclass, obj_description(k.oid, 'pg_constraint'))
    FROM pg_constraint k
    WHERE k.conrelid = $1::oid AND k.contype IN ('p', 'u', 'x') AND obj_description(k.oid, 'pg_constraint') IS NOT NULL
    UNION ALL
    SELECT 1, format('ALTER SEQUENCE %s RENAME TO %I', b.oid::regclass, a.relname)
    FROM s a JOIN s b USING (attname) WHERE a.refobjid = $1::oid AND b.refobjid = $2::oid
    UNION ALL
    SELECT c.at, format(c.s, quote_ident(bn.nspname) || '.' || quote_ident(b.stxname), an.nspname, b.stxname, a.stxname,
        pg_get_userbyid(a.stxowner), a.stxstattarget)
    FROM x a JOIN x b USING (signature, nth) JOIN pg_namespace an ON an.oid = a.stxnamespace
    JOIN pg_namespace bn ON bn.oid = b.stxnamespace,
        (VALUES (1, 'ALTER STATISTICS %1$s SET STATISTICS %6$s'), (2, 'ALTER STATISTICS %1$s OWNER TO %5$I'),
            (3, 'ALTER STATISTICS %1$s SET SCHEMA %2$I'), (4, 'ALTER STATISTICS %2$I.%3$I RENAME TO %4$I')) c (at, s)
    WHERE a.stxrelid = $1::oid AND b.stxrelid = $2::oid AND (c.at > 1 OR a.stxstattarget >= 0)
) all_of_it ORDER BY at, s

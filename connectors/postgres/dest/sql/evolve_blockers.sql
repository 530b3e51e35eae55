-- What keeps the column $2 of the table $1 from being dropped ($3), or from getting another type: whatever is not the table's own and is
-- made of it. Indexes, constraints and statistics of the table go with their column; a foreign key takes another type.
SELECT string_agg(DISTINCT coalesce(
        (SELECT format(CASE v.relkind WHEN 'm' THEN 'materialized view %s' ELSE 'view %s' END, v.oid::regclass)
         FROM pg_rewrite r JOIN pg_class v ON v.oid = r.ev_class
         WHERE d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid AND v.oid <> a.attrelid),
        (SELECT format('column %I, which is generated', g.attname)
         FROM pg_attrdef f JOIN pg_attribute g ON g.attrelid = f.adrelid AND g.attnum = f.adnum
         WHERE d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid),
        pg_describe_object(d.classid, d.objid, d.objsubid)), ', ')
FROM pg_attribute a
JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
WHERE a.attrelid = $1::oid AND a.attname = $2 AND NOT a.attisdropped
    AND (d.deptype = 'n' OR d.classid = 'pg_attrdef'::regclass)
    AND NOT (d.classid = 'pg_attrdef'::regclass AND EXISTS (
        SELECT FROM pg_attrdef f WHERE f.oid = d.objid AND f.adrelid = a.attrelid AND f.adnum = a.attnum))
    AND NOT (d.classid = 'pg_constraint'::regclass AND EXISTS (
        SELECT FROM pg_constraint k WHERE k.oid = d.objid AND (k.conrelid = a.attrelid OR NOT $3::bool)))
    AND NOT (d.classid = 'pg_class'::regclass AND EXISTS (
        SELECT FROM pg_class i WHERE i.oid = d.objid AND i.relkind IN ('i', 'I', 'S')))
    AND d.classid <> 'pg_statistic_ext'::regclass

-- The columns of a table ($1: its OID), in order: name, type, NOT NULL, generated, whether it has a value when none is given
-- (default, identity), the type without its modifier (by a cast to which nothing is cut off), whether NOT NULL is not to be
-- taken away (primary key, identity), collation, whether values that are equal may differ (1.0 and 1.00), whether an UPDATE may not
-- set it (GENERATED ALWAYS AS IDENTITY), whether somebody made a cast from text to it, and whether it is money, an array or a domain
-- of it.
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated <> '',
       a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL, format_type(a.atttypid, -1),
       a.attidentity <> '' OR EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey)),
       quote_ident(n.nspname) || '.' || quote_ident(l.collname),
       NOT (t.typtype = 'e' OR t.oid = ANY ('{bool,"char",bytea,name,text,varchar,bpchar,int2,int4,int8,oid,uuid,date,time,timestamp,timestamptz}'::regtype[]))
           OR coalesce(NOT l.collisdeterministic, false),
       a.attidentity = 'a',
       a.atttypid >= 16384 AND EXISTS (
           -- A domain is reached by its base type's.
           SELECT FROM pg_cast k WHERE k.castsource = 'text'::regtype AND k.castmethod = 'f' AND k.casttarget IN (a.atttypid, t.typbasetype,
               (SELECT b.typbasetype FROM pg_type b WHERE b.oid = t.typbasetype))),
       'money'::regtype IN (a.atttypid, t.typelem, t.typbasetype) OR (t.typbasetype <> 0 AND EXISTS (
           SELECT FROM pg_type b WHERE b.oid = t.typbasetype AND 'money'::regtype IN (b.typelem, b.typbasetype)))
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_collation l ON l.oid = a.attcollation LEFT JOIN pg_namespace n ON n.oid = l.collnamespace
WHERE a.attrelid = (SELECT $1::oid) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum

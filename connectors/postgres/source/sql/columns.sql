-- The columns of the relations $1, in order, each with the facts of its type. A domain is followed to
-- the type at its bottom. An array's element is not: its own OID stands in the array's binary form.
WITH RECURSIVE declared AS (
    SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attcollation, a.attnotnull, a.attgenerated
      FROM pg_attribute a
     WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
), base (attrelid, attnum, typid, typmod) AS (
    SELECT attrelid, attnum, atttypid, atttypmod FROM declared
    UNION ALL
    SELECT b.attrelid, b.attnum, t.typbasetype, t.typtypmod
      FROM base b
      JOIN pg_type t ON t.oid = b.typid
     WHERE t.typtype = 'd'
)
SELECT d.attrelid,
       d.attname,
       format_type(d.atttypid, d.atttypmod),
       quote_ident(n.nspname) || '.'
           -- After the dot a key word, such as numeric, needs no quotes.
           || CASE WHEN t.typname ~ '^[a-z_][a-z0-9_]*$' THEN t.typname ELSE quote_ident(t.typname) END,
       t.oid,
       b.typmod,
       CASE WHEN t.typcategory = 'A' AND t.typelem <> 0 THEN t.typelem END,
       -- Left out where it is the type's own.
       CASE WHEN d.attcollation <> dt.typcollation
            THEN (SELECT quote_ident(cn.nspname) || '.' || quote_ident(c.collname)
                    FROM pg_collation c
                    JOIN pg_namespace cn ON cn.oid = c.collnamespace
                   WHERE c.oid = d.attcollation) END,
       -- Where NOT NULL is NOT VALID (PostgreSQL 18), older rows may have NULL.
       d.attnotnull AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = d.attrelid AND k.contype = 'n'
                                      AND NOT k.convalidated AND k.conkey[1] = d.attnum),
       has_column_privilege(d.attrelid, d.attnum, 'SELECT'),
       t.typtype = 'e',
       -- A type that not every server has: it is described (type_definitions.sql).
       CASE WHEN dn.nspname NOT IN ('pg_catalog', 'information_schema') THEN d.atttypid END,
       d.atttypmod,
       -- What stays as it is when the column gets another name.
       concat_ws('.', (SELECT oid FROM pg_database WHERE datname = current_database()), d.attrelid, d.attnum),
       d.attnum,
       d.attgenerated <> ''
  FROM declared d
  JOIN pg_type dt ON dt.oid = d.atttypid
  JOIN pg_namespace dn ON dn.oid = dt.typnamespace
  JOIN base b ON b.attrelid = d.attrelid AND b.attnum = d.attnum
  JOIN pg_type t ON t.oid = b.typid AND t.typtype <> 'd'
  JOIN pg_namespace n ON n.oid = t.typnamespace
 ORDER BY d.attrelid, d.attnum

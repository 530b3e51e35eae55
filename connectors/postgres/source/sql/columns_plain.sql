-- As columns.sql, of the relations $1, where no column is of a domain; where one is, its base type is not looked for, and the column
-- before the last five is NULL: then columns.sql is to be asked of that relation. A server takes a quarter of the time for this one.
SELECT a.attrelid,
       a.attname,
       format_type(a.atttypid, a.atttypmod),
       quote_ident(n.nspname) || '.'
           || CASE WHEN t.typname ~ '^[a-z_][a-z0-9_]*$' THEN t.typname ELSE quote_ident(t.typname) END,
       t.oid,
       a.atttypmod,
       CASE WHEN t.typcategory = 'A' AND t.typelem <> 0 THEN t.typelem END,
       CASE WHEN a.attcollation <> t.typcollation
            THEN (SELECT quote_ident(cn.nspname) || '.' || quote_ident(c.collname)
                    FROM pg_collation c
                    JOIN pg_namespace cn ON cn.oid = c.collnamespace
                   WHERE c.oid = a.attcollation) END,
       -- Where NOT NULL is NOT VALID (PostgreSQL 18), older rows may have NULL.
       a.attnotnull AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = a.attrelid AND k.contype = 'n'
                                      AND NOT k.convalidated AND k.conkey[1] = a.attnum),
       has_column_privilege(a.attrelid, a.attnum, 'SELECT'),
       CASE WHEN t.typtype <> 'd' THEN t.typtype = 'e' END,
       CASE WHEN n.nspname NOT IN ('pg_catalog', 'information_schema') THEN a.atttypid END,
       a.atttypmod,
       concat_ws('.', (SELECT oid FROM pg_database WHERE datname = current_database()), a.attrelid, a.attnum),
       a.attnum,
       a.attgenerated <> ''
  FROM pg_attribute a
  JOIN pg_type t ON t.oid = a.atttypid
  JOIN pg_namespace n ON n.oid = t.typnamespace
 WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attnum

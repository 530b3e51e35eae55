-- Gives the primary key of a staging table ($1) the name it would have had in a table of that name ($2).
SELECT format('RENAME CONSTRAINT %I TO %I', k.conname, left($2::text, 32) || '_pkey')
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = '_rapidbyte' AND c.relname = $1 AND k.contype = 'p' AND k.conname <> left($2::text, 32) || '_pkey'

-- Whether tables.sql lists a relation of schema $1 after the name $2.
SELECT EXISTS (
        SELECT FROM pg_class c
         WHERE c.relnamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = $1)
           AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't' AND NOT c.relispartition
           AND c.relname COLLATE "C" > $2)

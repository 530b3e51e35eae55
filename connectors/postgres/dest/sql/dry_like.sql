-- Whether a table ($1) is so plain that one like it can be made wherever one like another such table could be: the system's types and
-- index methods alone, nothing that is computed, and where every table lies.
SELECT c.relkind = 'r' AND c.relpersistence = 'p' AND c.reltablespace = 0 AND c.reloptions IS NULL AND c.reloftype = 0 AND NOT c.relispartition
   AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'heap')
   AND NOT EXISTS (
        SELECT FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
           AND (a.atthasdef OR a.attidentity <> '' OR a.attcollation <> t.typcollation
                OR EXISTS (SELECT FROM unnest(a.attoptions) AS r WHERE r NOT LIKE 'pg\_%') -- a server's own
                OR t.typtype <> 'b' OR t.typnamespace <> 'pg_catalog'::regnamespace))
   AND NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = c.oid AND contype NOT IN ('p', 'u', 'n'))
   AND NOT EXISTS (SELECT FROM pg_statistic_ext WHERE stxrelid = c.oid)
   AND NOT EXISTS (
        SELECT FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid
         WHERE i.indrelid = c.oid
           AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL OR x.reltablespace <> 0 OR x.reloptions IS NOT NULL
                OR x.relam <> (SELECT oid FROM pg_am WHERE amname = 'btree')
                OR EXISTS (SELECT FROM unnest(i.indclass::oid[]) AS o (oid) JOIN pg_opclass AS k USING (oid)
                            WHERE k.opcnamespace <> 'pg_catalog'::regnamespace)))
  FROM pg_class AS c WHERE c.oid = $1::oid

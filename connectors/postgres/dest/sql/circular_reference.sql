-- A circle of foreign keys from a table ($1: its OID) over others back to it, which begins with a key whose columns the stream has ($2: a
-- JSON array of names): that key, the table that it refers to, whether this is empty, and whether no row can be the first of any: the
-- columns of every key are NOT NULL, and every table is empty and has no trigger or rule of the user's, which could bring rows.
WITH RECURSIVE edge AS NOT MATERIALIZED (
    SELECT k.oid, k.conrelid, k.confrelid, k.conkey, CASE
            WHEN EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey) AND NOT a.attnotnull)
                OR EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = k.conrelid AND NOT g.tgisinternal)
                OR EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = k.conrelid) THEN false
            ELSE coalesce((SELECT sum(pg_relation_size(p.relid)) FROM pg_partition_tree(k.conrelid) p), pg_relation_size(k.conrelid)) = 0
        END AS closed
      FROM pg_constraint k
     WHERE k.contype = 'f' AND k.conrelid <> k.confrelid
       -- Switched off, or not enforced, it holds nothing back; and those of one table's partitions alone have no trigger there.
       AND EXISTS (SELECT FROM pg_trigger g WHERE g.tgconstraint = k.oid AND g.tgrelid = k.conrelid
           AND g.tgenabled::text IN ('A', CASE current_setting('session_replication_role') WHEN 'replica' THEN 'R' ELSE 'O' END))
), walk (key, oid, closed) AS (
    SELECT e.oid, e.confrelid, e.closed FROM edge e
     WHERE e.conrelid = $1::oid AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = e.conrelid AND a.attnum = ANY (e.conkey)
           AND a.attname::text NOT IN (SELECT json_array_elements_text($2::json)))
    UNION
    SELECT w.key, e.confrelid, w.closed AND e.closed FROM walk w JOIN edge e ON e.conrelid = w.oid WHERE w.oid <> $1::oid
)
SELECT format('%I', k.conname), k.confrelid::regclass,
    coalesce((SELECT sum(pg_relation_size(p.relid)) FROM pg_partition_tree(k.confrelid) p), pg_relation_size(k.confrelid)) = 0, w.closed
  FROM walk w JOIN pg_constraint k ON k.oid = w.key
 WHERE w.oid = $1::oid ORDER BY 4 DESC, 3 DESC, k.conname LIMIT 1

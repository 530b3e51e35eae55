-- The one relation $2 of schema $1, or, where $2 is NULL, what may be read there: the relations after the name $3 (NULL: from the first
-- on) until they and their columns are $4 (NULL: all of them). A partition is listed only by name: its rows belong to the parent's
-- stream. No function here locks a table, or waits for one that somebody else has locked: sizes are those that VACUUM and ANALYZE have
-- noted.
SELECT c.oid,
       c.relname,
       c.relkind::text,
       has_schema_privilege(n.oid, 'USAGE'),
       row_security_active(c.oid),
       leaves.estimated_rows,
       leaves.bytes,
       -- TID ranges are of one heap.
       c.relkind = 'r' AND NOT h.has_children AND coalesce(am.amname = 'heap', false),
       -- Every row has a transaction's number, xmin.
       c.relkind IN ('r', 'p') AND NOT leaves.has_foreign,
       -- Changes when the table is rewritten.
       CASE WHEN c.relkind = 'r' THEN c.relfilenode END,
       (SELECT json_agg(a.attname ORDER BY k.position)
          FROM pg_index i
         CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, position)
          JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
         WHERE i.indrelid = c.oid AND i.indisprimary AND k.position <= i.indnkeyatts),
       -- COPY takes the table by name: its rows are its own, and none of its columns is generated.
       c.relkind = 'r' AND NOT h.has_children
           AND NOT EXISTS (SELECT FROM pg_attribute g WHERE g.attrelid = c.oid AND g.attgenerated <> ''),
       -- Tables inherit from it that are no partitions.
       h.has_children,
       -- Its primary key is WITHOUT OVERLAPS (PostgreSQL 18).
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisexclusion)
  FROM (
        SELECT p.oid, sum(p.relnatts::int8 + 1) OVER (ORDER BY p.relname COLLATE "C") - p.relnatts - 1 AS before
          FROM pg_class p
         WHERE p.relnamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = $1)
           AND p.relkind IN ('r', 'p', 'v', 'm', 'f')
           AND p.relpersistence <> 't'
           AND (p.relname = $2 OR $2::text IS NULL AND NOT p.relispartition AND ($3::text IS NULL OR p.relname COLLATE "C" > $3))
       ) listed
  JOIN pg_class c ON c.oid = listed.oid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_am am ON am.oid = c.relam
 CROSS JOIN LATERAL (
        SELECT c.relkind = 'r' AND c.relhassubclass AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid)
       ) h (has_children)
 CROSS JOIN LATERAL (
        WITH RECURSIVE part (oid) AS (
            SELECT c.oid
             UNION ALL
            SELECT i.inhrelid FROM part JOIN pg_inherits i ON i.inhparent = part.oid WHERE c.relkind = 'p'
        )
        -- reltuples of a table that was never analyzed: 0 until PostgreSQL 13, then -1.
        SELECT sum(l.reltuples) FILTER (WHERE l.reltuples >= 0 AND l.relpages > 0)::bigint,
               sum(l.relpages::int8) FILTER (WHERE l.relkind IN ('r', 'm') AND l.relpages > 0)::int8
                   * current_setting('block_size')::int8,
               coalesce(bool_or(l.relkind = 'f'), false)
          FROM part JOIN pg_class l ON l.oid = part.oid AND l.relkind <> 'p'
       ) leaves (estimated_rows, bytes, has_foreign)
 WHERE $4::int8 IS NULL OR listed.before < $4::int8
 ORDER BY c.relname COLLATE "C"

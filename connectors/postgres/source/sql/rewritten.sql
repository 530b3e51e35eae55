-- What of a relation ($1: its OID) and of those that it reads is not what the snapshot shows, now that they are locked: rewritten
-- tables, whose rows are too new for it, partitions that went or came, tables that no longer inherit, and views that have another
-- query. $2: what bears the relation's name now. A SELECT sees the catalogue by the snapshot, functions see it as it is; a row of it
-- that a transaction has replaced since has that one's number as its xmax.
WITH RECURSIVE was (oid) AS (
    SELECT $1::oid
    UNION
    SELECT p.oid FROM was CROSS JOIN LATERAL (
        SELECT i.inhrelid FROM pg_class t JOIN pg_inherits i ON i.inhparent = t.oid
        WHERE t.oid = was.oid AND t.relhassubclass -- of a leaf all of pg_inherits would be read
        UNION ALL
        SELECT d.refobjid FROM pg_class v
        JOIN pg_rewrite r ON r.ev_class = v.oid AND r.rulename = '_RETURN'
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
        WHERE v.oid = was.oid AND v.relkind = 'v'
    ) p (oid)
), now (oid) AS (
    SELECT t.relid FROM was JOIN pg_class c ON c.oid = was.oid AND c.relkind = 'p' CROSS JOIN LATERAL pg_partition_tree(c.oid) t
), replaced (oid, xmax) AS (
    SELECT r.ev_class, r.xmax FROM was JOIN pg_rewrite r ON r.ev_class = was.oid AND r.rulename = '_RETURN'
    UNION ALL
    SELECT i.inhrelid, i.xmax FROM was JOIN pg_class c ON c.oid = was.oid AND c.relkind = 'r' JOIN pg_inherits i ON i.inhparent = c.oid
)
SELECT string_agg(DISTINCT what, ', ' ORDER BY what) FROM (
    SELECT format('%I.%I', n.nspname, c.relname) AS what
    FROM was JOIN pg_class c ON c.oid = was.oid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND c.relfilenode <> 0 AND c.relfilenode IS DISTINCT FROM pg_relation_filenode(c.oid)
    UNION ALL
    SELECT $2::text WHERE to_regclass($2)::oid IS DISTINCT FROM $1::oid
    UNION ALL
    SELECT c.oid::regclass::text FROM now JOIN pg_class c ON c.oid = now.oid WHERE NOT EXISTS (SELECT FROM was WHERE was.oid = c.oid)
    UNION ALL
    SELECT c.oid::regclass::text FROM was JOIN pg_class c ON c.oid = was.oid
    WHERE NOT EXISTS (SELECT FROM now WHERE now.oid = c.oid) AND EXISTS (
        SELECT FROM pg_inherits i JOIN was u ON u.oid = i.inhparent JOIN pg_class p ON p.oid = u.oid AND p.relkind = 'p'
        WHERE i.inhrelid = c.oid)
    UNION ALL
    -- xmax has 32 bits; the 64-bit number that is nearest to the end of the snapshot is meant.
    SELECT replaced.oid::regclass::text FROM replaced, txid_snapshot_xmax(txid_current_snapshot()) s (at)
    WHERE replaced.xmax <> '0'::xid AND txid_status(
        s.at + ((replaced.xmax::text::int8 - s.at + 2147483648) & 4294967295) - 2147483648) = 'committed'
) changed

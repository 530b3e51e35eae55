-- Whether the table ($1) is one of Citus's.
SELECT EXISTS (SELECT FROM pg_catalog.pg_dist_partition p WHERE p.logicalrelid::oid = $1::oid)

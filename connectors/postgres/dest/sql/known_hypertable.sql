-- Whether the table ($1) is one of TimescaleDB's, which may have no chunk, and so no child, yet.
SELECT EXISTS (SELECT FROM _timescaledb_catalog.hypertable h JOIN pg_namespace n ON n.nspname = h.schema_name
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = h.table_name WHERE c.oid = $1::oid)

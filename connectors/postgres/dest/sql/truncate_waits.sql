-- Whether this is the server that began at $1 with the database $2, which is where a source has locked tables (docs/protocol.md, "Arrow
-- fields").
SELECT to_char(pg_postmaster_start_time() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') = $1::text AND current_database() = $2::name

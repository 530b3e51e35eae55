#!/bin/bash
# write_mode: replace puts a new table in the old one's place: all that belonged to the old one is there afterwards.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pg_start main || bail "no PostgreSQL"
databases
p=$TAP_DIR/p.yaml
write_mode=replace
src_sql "CREATE TABLE users (id int PRIMARY KEY, name text); INSERT INTO users SELECT g, 'n' || g FROM generate_series(1, 1000) g"

# A table with everything: it is the same after a replace, as pg_dump and the catalogue see it.
dst_sql <<'SQL' || bail "the table can't be made"
CREATE ROLE reader; CREATE ROLE intern; CREATE ROLE keeper;
CREATE SCHEMA raw; GRANT ALL ON SCHEMA raw TO keeper;
CREATE TABLE raw.parent (id int PRIMARY KEY); INSERT INTO raw.parent SELECT generate_series(1, 1000);
CREATE TABLE raw.users (id int PRIMARY KEY, name text DEFAULT 'none', serial bigserial, ident bigint GENERATED ALWAYS AS IDENTITY,
    gen int GENERATED ALWAYS AS (id * 2) STORED, CONSTRAINT positive CHECK (id > 0),
    CONSTRAINT of_parent FOREIGN KEY (id) REFERENCES raw.parent, CONSTRAINT late UNIQUE (name) DEFERRABLE INITIALLY DEFERRED)
    WITH (fillfactor = 70, autovacuum_enabled = false);
CREATE INDEX a23456789012345678901234567890123456789012345678901234567890123 ON raw.users (name);
CREATE INDEX b23456789012345678901234567890123456789012345678901234567890123 ON raw.users (name);
CREATE UNIQUE INDEX partial_one ON raw.users (lower(name)) WHERE id > 5;
CREATE STATISTICS raw.st ON id, name FROM raw.users; ALTER STATISTICS raw.st SET STATISTICS 50;
ALTER TABLE raw.users ALTER name SET STATISTICS 77, ALTER name SET (n_distinct = 5), ALTER name SET STORAGE external;
CREATE FUNCTION raw.tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER trg BEFORE UPDATE ON raw.users FOR EACH ROW EXECUTE FUNCTION raw.tf();
ALTER TABLE raw.users DISABLE TRIGGER trg;
ALTER TABLE raw.users ENABLE ROW LEVEL SECURITY; CREATE POLICY pol ON raw.users FOR SELECT TO reader USING (id < 10);
GRANT SELECT ON raw.users TO reader WITH GRANT OPTION; GRANT UPDATE (name) ON raw.users TO intern;
GRANT SELECT ON SEQUENCE raw.users_ident_seq, raw.users_serial_seq TO reader;
COMMENT ON TABLE raw.users IS 'table'; COMMENT ON COLUMN raw.users.name IS 'column'; COMMENT ON INDEX raw.partial_one IS 'index';
COMMENT ON CONSTRAINT positive ON raw.users IS 'check'; COMMENT ON CONSTRAINT of_parent ON raw.users IS 'foreign key';
COMMENT ON CONSTRAINT users_pkey ON raw.users IS 'primary key'; COMMENT ON CONSTRAINT late ON raw.users IS 'unique';
COMMENT ON STATISTICS raw.st IS 'statistics'; COMMENT ON TRIGGER trg ON raw.users IS 'trigger'; COMMENT ON POLICY pol ON raw.users IS 'policy';
CREATE VIEW raw.v1 AS SELECT id, name AS other FROM raw.users GROUP BY id;
CREATE VIEW raw.v2 WITH (security_barrier = true) AS SELECT v.id, u.name FROM raw.v1 v JOIN raw.users u USING (id);
GRANT SELECT ON raw.v2 TO reader; CREATE MATERIALIZED VIEW raw.m AS SELECT * FROM raw.v2;
ALTER TABLE raw.users OWNER TO keeper;
DO $$ BEGIN PERFORM setval('raw.users_ident_seq', 42); END $$;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO intern; ALTER DEFAULT PRIVILEGES GRANT SELECT ON SEQUENCES TO intern;
SQL

# Without what differs by its random name only.
everything() {
    "$PG_BIN/pg_dump" -h "$PG_SOCKET" -p "$PG_PORT" -U postgres --schema-only --schema=raw dst | grep -v -e '^.restrict' -e '^.unrestrict' -e 'MAXVALUE'
    dst_sql "SELECT attname, attstattarget, attoptions FROM pg_attribute WHERE attrelid = 'raw.users'::regclass AND attnum > 0;
        SELECT last_value, is_called FROM raw.users_ident_seq; SELECT stxname, stxstattarget FROM pg_statistic_ext"
}

STREAMS='- { name: users }' pipeline "$p"
everything >"$TAP_DIR/before"
for method in "a first time" "a second time"; do
    run_is 0 "replace, $method" "$RAPIDBYTE" run "$p"
    everything >"$TAP_DIR/after"
    is "$(diff "$TAP_DIR/before" "$TAP_DIR/after")" "" "replace, $method: all that belongs to the table is there"
    is "$(dst_sql 'SELECT count(*), sum(id) FROM raw.users')" "1000|500500" "replace, $method: the rows"
done

# Whom ALTER DEFAULT PRIVILEGES names could not read the old table; the new one neither.
is "$(dst_sql "SELECT has_table_privilege('intern', 'raw.users', 'SELECT')")" f "default privileges open no table that was closed"

# What can't be kept is refused by name, before anything is loaded.
dst_sql 'CREATE POLICY elsewhere ON raw.parent USING (EXISTS (SELECT FROM raw.users u WHERE u.id = parent.id))'
run_is 5 "a policy of another table reads it" "$RAPIDBYTE" run "$p"
like "$stderr" 'policy elsewhere' "the policy is named"
dst_sql 'SET client_min_messages = warning; DROP SCHEMA raw CASCADE; DROP SCHEMA _rapidbyte CASCADE; ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM intern;
    ALTER DEFAULT PRIVILEGES REVOKE SELECT ON SEQUENCES FROM intern'

# An index made while the rows are loaded is not lost.
src_sql "CREATE VIEW slow AS SELECT g AS id, repeat('x', 3000) || CASE WHEN g = 30 THEN pg_sleep(3)::text ELSE '' END AS pad FROM generate_series(1, 40) g"
dst_sql 'CREATE SCHEMA raw; CREATE TABLE raw.slow (id int, pad text)'
STREAMS='- { name: slow }' EXTRA='resources: { max_batch_bytes: 16kb }' pipeline "$p"
"$RAPIDBYTE" run "$p" >"$TAP_DIR/out" 2>&1 &
pid=$!
for ((i = 0; i < 100; i++)); do
    [[ $(dst_sql "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY \"\\_rapidbyte\"%' AND state = 'active'") == 0 ]] || break
    sleep 0.1
done
dst_sql 'CREATE INDEX made_meanwhile ON raw.slow (id)'
wait "$pid"
is "$?" 0 "replace of a table that gets an index meanwhile" || diag "$(cat "$TAP_DIR/out")"
like "$(cat "$TAP_DIR/out")" 'made_meanwhile' "it was seen"
is "$(dst_sql "SELECT to_regclass('raw.made_meanwhile') IS NOT NULL, count(*) FROM raw.slow")" "t|40" "the index is there, and the rows"

# Units side by side into a table that lacks a column.
src_sql "CREATE TABLE big (id int, pad text, extra int); INSERT INTO big SELECT g, repeat('x', 200), g FROM generate_series(1, 120000) g; ANALYZE big"
dst_sql 'CREATE TABLE raw.big (id int, pad text)'
STREAMS='- { name: big }' EXTRA='resources: { parallelism: 4 }' pipeline "$p"
run_is 0 "four lanes, a new column" "$RAPIDBYTE" run "$p"
same big "four lanes, a new column: all rows"
done_testing

#!/bin/bash
# write_mode: replace puts a new table in the old one's place: all that belonged to the old one is there afterwards.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
PG_OPTIONS=(log_statement=ddl)
pg_start main || bail "no PostgreSQL"
databases
p=$TAP_DIR/p.yaml
write_mode=replace
src_sql "CREATE TABLE users (id int PRIMARY KEY, name text); INSERT INTO users SELECT g, 'n' || g FROM generate_series(1, 1000) g"

pg_as_owner mkdir "$PG_DIR/tablespace"
pg_sql "CREATE TABLESPACE other LOCATION '$PG_DIR/tablespace'"

# Tables that have one thing each: the long questions are asked of a table only where something of it can have an answer.
declare -A only=(
    [plain]="" [key]="REFERENCES raw.other" [serial]="DEFAULT 0, n serial" [identity]=", n bigint GENERATED ALWAYS AS IDENTITY"
    [unique]="UNIQUE" [storage]=", CHECK (id > 0)"
    [trigger]="; CREATE TRIGGER g BEFORE UPDATE ON raw.one_trigger FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    [policy]="; CREATE POLICY y ON raw.one_policy USING (id < 10)"
    [security]="; ALTER TABLE raw.one_security ENABLE ROW LEVEL SECURITY" [forced]="; ALTER TABLE raw.one_forced FORCE ROW LEVEL SECURITY"
    [view]="; CREATE VIEW raw.reads AS SELECT id FROM raw.one_view" [owner]="; ALTER TABLE raw.one_owner OWNER TO single"
    [grant]="; GRANT SELECT ON raw.one_grant TO single" [column]="; GRANT SELECT (id) ON raw.one_column TO single"
    [option]="; ALTER TABLE raw.one_option SET (fillfactor = 70)" [toast]="; ALTER TABLE raw.one_toast SET (toast.autovacuum_vacuum_threshold = 77)"
    [replica]="; ALTER TABLE raw.one_replica REPLICA IDENTITY FULL" [comment]="; COMMENT ON TABLE raw.one_comment IS 'c'"
    [target]="; ALTER TABLE raw.one_target ALTER id SET STATISTICS 77" [distinct]="; ALTER TABLE raw.one_distinct ALTER id SET (n_distinct = 5)"
    [index]="; CREATE INDEX its_name ON raw.one_index (id)" [statistics]="; CREATE STATISTICS raw.its_statistics ON id, name FROM raw.one_statistics"
)
dst_sql "CREATE ROLE single; CREATE SCHEMA raw; GRANT ALL ON SCHEMA raw TO single; CREATE TABLE raw.other (id int PRIMARY KEY);
    INSERT INTO raw.other SELECT generate_series(1, 1000)"
STREAMS=
for one in "${!only[@]}"; do
    if [[ ${only[$one]} == \;* ]]; then
        dst_sql "CREATE TABLE raw.one_$one (name text, id int)${only[$one]}"
    else
        dst_sql "CREATE TABLE raw.one_$one (name text, id int ${only[$one]})"
    fi
    STREAMS+="- { name: one_$one, table: users }"$'\n'
done
# Of raw.one_<name>, as pg_dump tells it, and what it leaves out.
one() {
    "$PG_BIN/pg_dump" -h "$PG_SOCKET" -p "$PG_PORT" -U postgres --schema-only --schema=raw -t "raw.one_$1" -t raw.reads dst |
        grep -v -e '^.restrict' -e '^.unrestrict'
    dst_sql "SELECT oid, stxname FROM pg_statistic_ext WHERE stxrelid = 'raw.one_$1'::regclass" | cut -d '|' -f 2
}
for one in "${!only[@]}"; do one "$one" >"$TAP_DIR/one_$one"; done
pipeline "$p"
before=$(dst_sql "SELECT 'raw.one_plain'::regclass::oid")
run_is 0 "replace of tables with one thing each" "$RAPIDBYTE" run "$p"
isnt "$(dst_sql "SELECT 'raw.one_plain'::regclass::oid")" "$before" "they are other tables"
for one in "${!only[@]}"; do
    one "$one" >"$TAP_DIR/after"
    is "$(diff "$TAP_DIR/one_$one" "$TAP_DIR/after")" "" "replace keeps what a table has: $one"
done
dst_sql "SET client_min_messages = error; DROP SCHEMA raw CASCADE"

# A table with everything: it is the same after a replace, as pg_dump and the catalogue see it.
dst_sql <<'SQL' || bail "the table can't be made"
CREATE ROLE reader; CREATE ROLE intern; CREATE ROLE keeper;
CREATE SCHEMA raw; GRANT ALL ON SCHEMA raw TO keeper;
CREATE TABLE raw.parent (id int PRIMARY KEY); INSERT INTO raw.parent SELECT generate_series(1, 1000);
CREATE TABLE raw.users (id int PRIMARY KEY, name text DEFAULT 'none', serial bigserial, ident bigint GENERATED ALWAYS AS IDENTITY,
    gen int GENERATED ALWAYS AS (id * 2) STORED, CONSTRAINT positive CHECK (id > 0),
    CONSTRAINT of_parent FOREIGN KEY (id) REFERENCES raw.parent, CONSTRAINT late UNIQUE (name) DEFERRABLE INITIALLY DEFERRED)
    WITH (fillfactor = 70, autovacuum_enabled = false, toast.autovacuum_vacuum_threshold = 77) TABLESPACE other;
ALTER TABLE raw.users CLUSTER ON users_pkey, REPLICA IDENTITY USING INDEX users_pkey, FORCE ROW LEVEL SECURITY, ALTER name SET COMPRESSION pglz;
CREATE INDEX a23456789012345678901234567890123456789012345678901234567890123 ON raw.users (name);
CREATE INDEX b23456789012345678901234567890123456789012345678901234567890123 ON raw.users (name);
CREATE UNIQUE INDEX partial_one ON raw.users (lower(name)) WHERE id > 5;
ALTER INDEX raw.partial_one ALTER COLUMN 1 SET STATISTICS 33; ALTER TABLE raw.users ADD CONSTRAINT apart EXCLUDE USING btree (ident WITH =);
CREATE INDEX elsewhere ON raw.users (serial) WITH (fillfactor = 55) TABLESPACE other; COMMENT ON SEQUENCE raw.users_ident_seq IS 'sequence';
CREATE STATISTICS raw.st ON id, name FROM raw.users; ALTER STATISTICS raw.st SET STATISTICS 50;
ALTER TABLE raw.users ALTER name SET STATISTICS 77, ALTER name SET (n_distinct = 5, n_distinct_inherited = -0.5), ALTER name SET STORAGE external;
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
CREATE TABLE raw.fourth (id int, name text);
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO intern; ALTER DEFAULT PRIVILEGES GRANT SELECT ON SEQUENCES TO intern;
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE raw.second (id int, name text) USING heap2; ALTER TABLE raw.second REPLICA IDENTITY FULL;
CREATE TABLE raw.third (id int UNIQUE, name text); ALTER TABLE raw.third REPLICA IDENTITY NOTHING;
SQL

# Without what differs by its random name only; of pg_attver, which the server itself counts, that it is there.
everything() {
    "$PG_BIN/pg_dump" -h "$PG_SOCKET" -p "$PG_PORT" -U postgres --schema-only --schema=raw dst | grep -v -e '^.restrict' -e '^.unrestrict' -e 'MAXVALUE'
    dst_sql "SELECT attname, attstattarget, ARRAY(SELECT regexp_replace(r, '^pg_attver=.*', 'pg_attver') FROM unnest(attoptions) r ORDER BY r) FROM pg_attribute WHERE attrelid = 'raw.users'::regclass AND attnum > 0;
        SELECT last_value, is_called FROM raw.users_ident_seq; SELECT stxname, stxstattarget FROM pg_statistic_ext"
}

STREAMS='- { name: users }
- { name: second, table: users }
- { name: third, table: users }
- { name: fourth, table: users }' pipeline "$p"
everything >"$TAP_DIR/before"
for method in "a first time" "a second time"; do
    run_is 0 "replace, $method" "$RAPIDBYTE" run "$p"
    everything >"$TAP_DIR/after"
    is "$(diff "$TAP_DIR/before" "$TAP_DIR/after")" "" "replace, $method: all that belongs to the table is there"
    is "$(dst_sql 'SELECT count(*), sum(id) FROM raw.users; SELECT count(*) FROM raw.second; SELECT count(*) FROM raw.third' | paste -sd' ')" \
        "1000|500500 1000 1000" "replace, $method: the rows"
done

# What the server keeps among a column's options for itself (minors of November 2026 and later) is not ours to set.
ok "options that somebody has set are replayed" grep -q "ALTER COLUMN name SET (.*n_distinct = '5'" "$PG_LOG"
is "$(grep -c 'SET (.*pg_' "$PG_LOG")" 0 "the server's own are not"

# Whom ALTER DEFAULT PRIVILEGES names could not read the old table; the new one neither.
is "$(dst_sql "SELECT has_table_privilege('intern', 'raw.users', 'SELECT')")" f "default privileges open no table that was closed"

# What can't be kept is refused by name, before anything is loaded.
STREAMS='- { name: users }' pipeline "$p"
dst_sql 'CREATE POLICY elsewhere ON raw.parent USING (EXISTS (SELECT FROM raw.users u WHERE u.id = parent.id))'
run_is 5 "a policy of another table reads it" "$RAPIDBYTE" run "$p"
like "$stderr" 'policy elsewhere' "the policy is named"
like "$stderr" 'replace_method: truncate' "and what to do"
dst_sql 'SET client_min_messages = warning; DROP SCHEMA raw CASCADE; DROP SCHEMA _rapidbyte CASCADE; ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM intern;
    ALTER DEFAULT PRIVILEGES REVOKE SELECT ON SEQUENCES FROM intern'

# refused <statements> <what is named>: for a table raw.users that they make.
refused() {
    dst_sql "SET client_min_messages = error; DROP SCHEMA IF EXISTS raw CASCADE; CREATE SCHEMA raw; SET search_path = raw; CREATE TABLE other (id int PRIMARY KEY); $1" >/dev/null || bail "$1"
    run "$RAPIDBYTE" check "$p"
    like "$stdout" "can't be replaced by a new one, which would not keep: .*$2" "refused by name: $2"
}
users='CREATE TABLE users (id int PRIMARY KEY, name text)'
refused "$users; CREATE TABLE part () INHERITS (users)" 'its inheritance'
refused "CREATE TABLE base (id int); CREATE TABLE users (name text) INHERITS (base)" 'its inheritance'
refused "CREATE TABLE base (id int, name text) PARTITION BY LIST (id); CREATE TABLE users PARTITION OF base DEFAULT" 'its inheritance'
refused "CREATE TABLE users (id int, name text) PARTITION BY LIST (id)" 'it is not a plain table'
refused "CREATE TYPE shape AS (id int, name text); CREATE TABLE users OF shape" 'it is not a plain table'
refused "$users; CREATE RULE r AS ON DELETE TO users DO INSTEAD NOTHING" 'rule r on table raw.users'
refused "$users; CREATE TABLE child (id int REFERENCES users)" 'constraint child_id_fkey on table raw.child'
refused "$users; CREATE MATERIALIZED VIEW m AS SELECT * FROM users" 'rule _RETURN on materialized view raw.m'
refused "$users; CREATE FUNCTION f() RETURNS users LANGUAGE sql AS 'SELECT NULL::raw.users'" 'function raw.f\(\)'
refused "$users; CREATE TABLE rows (r users)" 'column r of table raw.rows'
refused "CREATE TABLE users (id int REFERENCES other, name text); ALTER TABLE users DISABLE TRIGGER ALL" 'disabled triggers of foreign key users_id_fkey'
refused "$users; ALTER EXTENSION plpgsql ADD TABLE users" 'its place in extension plpgsql'
dst_sql 'ALTER EXTENSION plpgsql DROP TABLE raw.users'
# An empty hypertable has no chunk, and so no child: by a catalogue that looks like TimescaleDB's, Citus's can't be made here; by what
# an extension has put there.
dst_sql "CREATE SCHEMA _timescaledb_catalog; CREATE TABLE _timescaledb_catalog.hypertable (schema_name name, table_name name)"
run "$RAPIDBYTE" check "$p"
unlike "$stdout" 'hypertable' "TimescaleDB does not know the table"
dst_sql "INSERT INTO _timescaledb_catalog.hypertable VALUES ('raw', 'users')"
run "$RAPIDBYTE" check "$p"
like "$stdout" 'table "users" is a hypertable of TimescaleDB, and can.t be replaced by a new one' "refused by name: a hypertable"
dst_sql "SET client_min_messages = error; DROP SCHEMA _timescaledb_catalog CASCADE; CREATE SCHEMA inside; ALTER EXTENSION plpgsql ADD SCHEMA inside;
    CREATE FUNCTION inside.block() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
refused "$users; CREATE TRIGGER block BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION inside.block()" 'trigger block of extension plpgsql'
dst_sql "SET client_min_messages = error; ALTER EXTENSION plpgsql DROP SCHEMA inside; DROP SCHEMA inside CASCADE"
refused "$users; CREATE PUBLICATION pub FOR TABLE users" 'publication of table raw.users in publication pub'
dst_sql 'DROP PUBLICATION pub'
refused "$users; CREATE PUBLICATION pub FOR ALL TABLES" 'publication pub of all tables'
dst_sql 'DROP PUBLICATION pub'
if (($(pg_sql 'SHOW server_version_num') >= 150000)); then
    refused "$users; CREATE PUBLICATION pub FOR TABLES IN SCHEMA raw" 'publication of schema raw in publication pub'
    dst_sql 'DROP PUBLICATION pub'
fi
refused "$users; CREATE SUBSCRIPTION sub CONNECTION 'dbname=src' PUBLICATION pub WITH (connect = false); SET allow_system_table_mods = on;
    INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate) SELECT oid, 'users'::regclass, 'r' FROM pg_subscription" 'its subscription'
dst_sql 'ALTER SUBSCRIPTION sub SET (slot_name = NONE); DROP SUBSCRIPTION sub'

# A role that may not do what a swap takes is told before anything is loaded.
dst_sql "SET client_min_messages = error; DROP SCHEMA raw CASCADE; DROP SCHEMA IF EXISTS _rapidbyte CASCADE; CREATE SCHEMA raw; CREATE ROLE loader LOGIN; GRANT CREATE ON DATABASE dst TO loader;
    GRANT ALL ON SCHEMA raw TO loader, keeper; SET ROLE loader; CREATE TABLE raw.users (id int, name text); RESET ROLE;
    GRANT SELECT ON raw.users TO keeper; SET ROLE keeper; CREATE VIEW raw.v AS SELECT * FROM raw.users"
sed -i '/database: dst/s/user: postgres, password: postgres/user: loader, password: x/' "$p"
run_is 4 "a view of another role's" "$RAPIDBYTE" run "$p"
like "$stderr" "only by a member of: keeper, whose view raw.v reads it" "its owner is named"
dst_sql 'DROP VIEW raw.v; ALTER TABLE raw.users OWNER TO keeper; GRANT ALL ON raw.users TO loader'
run_is 4 "a table of another role's" "$RAPIDBYTE" run "$p"
like "$stderr" "only by a member of: keeper, whose it is" "its owner is named, too"
dst_sql 'GRANT keeper TO loader'
run_is 0 "a table of a role that the loader is a member of" "$RAPIDBYTE" run "$p"
is "$(dst_sql "SELECT count(*), (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'raw.users'::regclass) FROM raw.users")" "1000|keeper" "it is as it was, with the rows"
dst_sql 'SET client_min_messages = error; DROP SCHEMA raw CASCADE; DROP SCHEMA _rapidbyte CASCADE'

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
dst_sql 'CREATE INDEX made_meanwhile ON raw.slow (id); CREATE STATISTICS raw.made_as_well ON id, pad FROM raw.slow'
wait "$pid"
is "$?" 0 "replace of a table that gets an index meanwhile" || diag "$(cat "$TAP_DIR/out")"
like "$(cat "$TAP_DIR/out")" 'made_meanwhile, statistics object made_as_well' "it was seen"
is "$(dst_sql "SELECT to_regclass('raw.made_meanwhile') IS NOT NULL, count(*) FROM raw.slow")" "t|40" "the index is there, and the rows"

# Rows that refer to rows of the same table; two tables that refer to each other.
src_sql 'CREATE TABLE tree (id int PRIMARY KEY, parent int); INSERT INTO tree SELECT g, 101 - g FROM generate_series(1, 100) g'
dst_sql 'CREATE TABLE raw.tree (id int PRIMARY KEY, parent int, CONSTRAINT parent_is_there FOREIGN KEY (parent) REFERENCES raw.tree DEFERRABLE)'
for method in swap truncate swap; do
    STREAMS="- { name: tree, replace_method: $method }" pipeline "$p"
    run_is 0 "a table that refers to itself, $method" "$RAPIDBYTE" run "$p"
    same tree "$method: its rows"
    is "$(dst_sql "SELECT conname, confrelid = conrelid, condeferrable, convalidated FROM pg_constraint WHERE conrelid = 'raw.tree'::regclass AND contype = 'f'")" "parent_is_there|t|t|t" "$method: its foreign key"
done
src_sql 'CREATE TABLE hen (id int PRIMARY KEY, egg int); CREATE TABLE egg (id int PRIMARY KEY, hen int); INSERT INTO hen VALUES (1, 1); INSERT INTO egg VALUES (1, 1)'
dst_sql 'CREATE TABLE raw.hen (id int PRIMARY KEY, egg int); CREATE TABLE raw.egg (id int PRIMARY KEY, hen int REFERENCES raw.hen DEFERRABLE INITIALLY DEFERRED);
    ALTER TABLE raw.hen ADD FOREIGN KEY (egg) REFERENCES raw.egg DEFERRABLE INITIALLY DEFERRED'
STREAMS=$'- { name: hen, write_mode: append }\n- { name: egg, write_mode: append }' pipeline "$p"
run_is 5 "two tables that refer to each other" "$RAPIDBYTE" run "$p"
like "$stderr" 'where two tables refer to each other, drop one of the two foreign keys' "the way on is named"

# Units side by side into a table that lacks a column.
src_sql "CREATE TABLE big (id int, pad text, extra int); INSERT INTO big SELECT g, repeat('x', 200), g FROM generate_series(1, 120000) g; ANALYZE big"
dst_sql 'CREATE TABLE raw.big (id int, pad text)'
STREAMS='- { name: big }' EXTRA='resources: { parallelism: 4 }' pipeline "$p"
run_is 0 "four lanes, a new column" "$RAPIDBYTE" run "$p"
same big "four lanes, a new column: all rows"
is "$(dst_sql "SELECT count(*) > 1 FROM _rapidbyte.loads WHERE stream = 'big' AND unit >= 0")" t "four lanes: several units"

# What is truncated is loaded in one transaction, so by one of the lanes.
STREAMS='- { name: big, replace_method: truncate }' EXTRA='resources: { parallelism: 4 }' pipeline "$p"
run_is 0 "four lanes, truncate" "$RAPIDBYTE" run "$p"
same big "four lanes, truncate: all rows"
done_testing

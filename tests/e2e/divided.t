#!/bin/bash
# A large table is divided by its bytes, TOAST and partitions included, and each row is read once.
# shellcheck disable=SC2317,SC2329 # functions that wait_until is given
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
. "$ROOT/tests/lib/faults.sh"
PG_OPTIONS+=('log_statement=all')
pg_start main || bail "no PostgreSQL"
databases
p=$TAP_DIR/p.yaml
version=$(pg_sql 'SHOW server_version_num')
((version >= 140000)) || skip_all "before PostgreSQL 14 no range of a table can be read"

# Beside the plan it has one connection, so that the units of a stream come one after the other.
src_sql 'CREATE ROLE few LOGIN CONNECTION LIMIT 2; GRANT pg_read_all_data TO few'

# load <table> <name>: on four lanes, and compared; $units is into how many it was divided.
load() {
    rm -f "$TAP_DIR"/state.db*
    dst_sql 'DROP SCHEMA IF EXISTS raw, _rapidbyte CASCADE' 2>/dev/null
    STREAMS="- { name: $1${3:-} }" write_mode=replace EXTRA='resources: { parallelism: 4 }' pipeline "$p"
    run_is 0 "$2: run" timeout 100 "$RAPIDBYTE" run "$p"
    same "$1" "$2: each row once, with every value"
    units=$(dst_sql "SELECT count(*) FROM _rapidbyte.loads WHERE stream = '$1' AND unit >= 0")
}

# 60 rows of 640 KB that don't compress: a heap of one or two blocks, and 38 MB of TOAST; filler rows make blocks to divide at.
src_sql "CREATE TABLE toasted (id int, pad text, v bytea); ALTER TABLE toasted ALTER v SET STORAGE EXTERNAL;
    INSERT INTO toasted SELECT g, repeat('p', 1500), decode(repeat(md5(g::text), 20000), 'hex') FROM generate_series(1, 60) g"
is "$(src_sql "SELECT pg_relation_size('toasted') < 1000000 AND pg_table_size('toasted') > 19000000")" t "little heap, much TOAST"
load toasted "TOAST"
cmp_ok "$units" -gt 1 "TOAST: in several units"

# Partitions of every kind that is one heap: large, small, empty, default, below another, with other column numbers, and names to quote.
src_sql "CREATE SCHEMA \"o'ther\";
    CREATE TABLE parts (id int, at int, v text) PARTITION BY RANGE (at);
    CREATE TABLE parts_large PARTITION OF parts FOR VALUES FROM (0) TO (1000);
    CREATE TABLE parts_sub PARTITION OF parts FOR VALUES FROM (1000) TO (2000) PARTITION BY LIST (at);
    CREATE TABLE \"o'ther\".\"of \"\"it\" PARTITION OF parts_sub FOR VALUES IN (1000, 1001, 1002);
    CREATE TABLE parts_sub_rest PARTITION OF parts_sub DEFAULT;
    CREATE TABLE parts_none PARTITION OF parts FOR VALUES FROM (2000) TO (3000);
    CREATE TABLE parts_rest (gone int, v text, id int, at int); ALTER TABLE parts_rest DROP gone; ALTER TABLE parts ATTACH PARTITION parts_rest DEFAULT;
    INSERT INTO parts SELECT g, g % 1500, repeat(md5(g::text), 5) FROM generate_series(1, 150000) g;
    INSERT INTO parts SELECT g, 5000 + g, repeat(md5(g::text), 5) FROM generate_series(1, 40000) g; ANALYZE parts"
load parts "partitions"
cmp_ok "$units" -ge 3 "partitions: in several units"
# A check goes the way of a run, and reads no row: of pieces neither.
STREAMS='- { name: parts }' write_mode=replace EXTRA='resources: { parallelism: 4 }' pipeline "$p"
lines=$(wc -l <"$PG_LOG")
run_is 0 "partitions: check" "$RAPIDBYTE" check "$p"
copies=$(tail -n "+$((lines + 1))" "$PG_LOG" | grep -c 'COPY .* TO STDOUT')
cmp_ok "$copies" -gt 0 "partitions: a check asks the source for rows"
is "$(tail -n "+$((lines + 1))" "$PG_LOG" | grep 'COPY .* TO STDOUT' | grep -vc 'LIMIT 0')" 0 "partitions: for none of them"
load parts "partitions with a filter" ', where: "id > 0"'
is "$units" 1 "partitions with a filter: as one"

# A partition that the role reads through the parent alone.
src_sql "CREATE ROLE reader LOGIN PASSWORD 'postgres'; GRANT USAGE ON SCHEMA public TO reader; GRANT SELECT ON parts TO reader"
sed -i '0,/user: postgres/s//user: reader/' "$p"
rm -f "$TAP_DIR"/state.db*
dst_sql 'DROP SCHEMA IF EXISTS raw, _rapidbyte CASCADE' 2>/dev/null
STREAMS='- { name: parts }' write_mode=replace EXTRA='resources: { parallelism: 4 }' pipeline "$p"
sed -i '0,/user: postgres/s//user: reader/' "$p"
run_is 0 "no right to read the partitions: run" timeout 100 "$RAPIDBYTE" run "$p"
same parts "no right to read the partitions: each row once"
is "$(dst_sql "SELECT count(*) FROM _rapidbyte.loads WHERE stream = 'parts' AND unit >= 0")" 1 "no right to read the partitions: as one"

# A partition comes while they are read: the first unit waits for the destination's table, and the others come after it.
src_sql "CREATE TABLE parts_new AS SELECT -1 AS id, 1000000 AS at, 'new'::text AS v"
sed -i '0,/user: reader/s//user: few/; s/parallelism: 4/parallelism: 4, max_memory: 512mb, max_retries: 0/' "$p"
PGAPPNAME=application dst_sql 'BEGIN; LOCK TABLE raw.parts IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)' >/dev/null 2>&1 &
is_held() { [[ $(pg_sql "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'application' AND wait_event = 'PgSleep'") == 1 ]]; }
unit_waits() { session dst "wait_event_type = 'Lock'"; }
wait_until "$PATIENCE_S" is_held || bail "the destination's table is not locked"
launch "$RAPIDBYTE" run "$p"
wait_until "$PATIENCE_S" unit_waits || bail "no unit waits: $(<"$TAP_STDERR")"
src_sql 'ALTER TABLE parts ATTACH PARTITION parts_new FOR VALUES FROM (1000000) TO (2000000)'
pg_sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'application'" >/dev/null
finish
is "$status" 0 "a partition that comes meanwhile: it runs" || diag "$stderr"
like "$stderr" "parts_new: altered, rewritten or replaced .*it is read under a new one" "a partition that comes meanwhile: said"
same parts "a partition that comes meanwhile: each row once"

# A foreign table among them.
src_sql "CREATE EXTENSION postgres_fdw; CREATE SERVER self FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '$PG_PORT', dbname 'src');
    CREATE USER MAPPING FOR postgres SERVER self OPTIONS (user 'postgres', password 'postgres'); CREATE TABLE far AS SELECT 1 AS id, 3000 AS at, 'far'::text AS v;
    CREATE FOREIGN TABLE parts_far PARTITION OF parts FOR VALUES FROM (3000) TO (4000) SERVER self OPTIONS (table_name 'far')"
load parts "a foreign partition"
is "$units" 1 "a foreign partition: as one"

# A table that is rewritten while its units are read: what they have staged is dropped, and the whole is read under a new snapshot.
# Each unit would stop at the gate.
make_gate src
# rewritten <statements> <name>
rewritten() {
    fresh
    src_sql "DROP TABLE IF EXISTS large; CREATE TABLE large AS SELECT g AS id, repeat('x', 1000) AS pad FROM generate_series(1, 40000) g"
    STREAMS='- { name: large, where: "public.gate(CASE WHEN id % 5000 = 0 THEN 20000 ELSE 1 END)" }' write_mode=replace \
        EXTRA='resources: { parallelism: 3, max_memory: 512mb, max_retries: 0 }' pipeline "$p"
    sed -i '0,/user: postgres/s//user: few/' "$p"
    close_gate src
    launch "$RAPIDBYTE" run "$p"
    wait_until "$PATIENCE_S" at_gate src || bail "no unit comes to the gate: $(<"$TAP_STDERR")"
    PGAPPNAME=application src_sql <<<"$1" >/dev/null 2>&1 &
    wait_until "$PATIENCE_S" application_waits || bail "the application does not wait"
    open_gate src
    finish
    is "$status" 0 "$2: it runs" || diag "$stderr"
    like "$stderr" "altered, rewritten or replaced .*it is read under a new one" "$2: said"
    same large "$2: each row once, as it is now"
    is "$(dst_sql "SELECT count(*) FROM pg_class WHERE relnamespace = '_rapidbyte'::regnamespace AND relname LIKE 's\\_%'")" 0 "$2: nothing is left"
}
application_waits() { [[ $(pg_sql "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'application' AND wait_event_type = 'Lock'") == 1 ]]; }
rewritten "BEGIN; TRUNCATE large; INSERT INTO large SELECT g, repeat('y', 1000) FROM generate_series(1, 30000) g; COMMIT" "truncated and filled"
rewritten "VACUUM FULL large" "VACUUM FULL"
rewritten "DELETE FROM large WHERE id > 100; VACUUM FULL large" "smaller than before"
rewritten "ALTER TABLE large ALTER id TYPE bigint" "another type"
done_testing

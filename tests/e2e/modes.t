#!/bin/bash
# Sync modes and write modes, by COPY and by INSERT: what arrives is what the source holds.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pg_start main || bail "no PostgreSQL"
databases
src_sql <<<"\\set events 5000
\\i examples/demo/seed.sql"
src_sql 'CREATE TABLE public.empty (a integer NOT NULL, b text)'

STREAMS='- { name: users }
- { name: orders }
- { name: bench_events }'
p=$TAP_DIR/p.yaml

reset() {
    dst_sql 'DROP SCHEMA IF EXISTS raw CASCADE; DROP SCHEMA IF EXISTS _rapidbyte CASCADE' 2>/dev/null
    rm -f "$TAP_DIR"/state.db*
}

all_same() {
    local table
    for table in users orders bench_events; do
        same "$table" "$1: $table"
    done
}

for load_method in copy insert; do
    for write_mode in append replace upsert; do
        what="full_refresh, $write_mode, $load_method"
        reset
        pipeline "$p"
        run_is 0 "$what: first run" "$RAPIDBYTE" run "$p"
        all_same "$what"
        run_is 0 "$what: second run" "$RAPIDBYTE" run "$p"
        if [[ $write_mode == append ]]; then
            is "$(dst_sql 'SELECT count(*) FROM raw.users')" 6 "$what: a second load appends"
        else
            all_same "$what, second run"
        fi
    done
done

# The new table has the source's types and constraints.
reset
load_method=copy write_mode=upsert
pipeline "$p"
run_is 0 "types: run" "$RAPIDBYTE" run "$p"
columns="SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute WHERE attrelid = '%s'::regclass AND attnum > 0 ORDER BY attnum"
for table in users orders bench_events; do
    # shellcheck disable=SC2059
    is "$(dst_sql "$(printf "$columns" "raw.$table")")" "$(src_sql "$(printf "$columns" "public.$table")")" "types of $table"
done
is "$(dst_sql "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'raw.users'::regclass AND contype = 'p'")" \
    "PRIMARY KEY (id)" "upsert: the new table has the source's primary key"

# Upsert changes what changed, and keeps what the source no longer has.
src_sql "UPDATE users SET name = 'Ada King' WHERE id = 1; DELETE FROM users WHERE id = 3"
run_is 0 "upsert: run after changes" "$RAPIDBYTE" run "$p"
is "$(dst_sql "SELECT string_agg(id::text, ',' ORDER BY id), max(name) FILTER (WHERE id = 1) FROM raw.users")" "1,2,3|Ada King" "upsert: updated, not deleted"

# Replace does not keep it.
write_mode=replace
pipeline "$p"
run_is 0 "replace: run after changes" "$RAPIDBYTE" run "$p"
same users "replace: users"

# Incremental: only what is new, ties included.
reset
write_mode=append
STREAMS='- { name: users, sync_mode: incremental, cursor_field: id }
- { name: orders, sync_mode: incremental, cursor_field: updated_at }'
pipeline "$p"
run_is 0 "incremental: first run" "$RAPIDBYTE" run "$p"
same users "incremental: users"
same orders "incremental: orders"
run_is 0 "incremental: nothing new" "$RAPIDBYTE" run "$p" --output json
is "$(python3 -c 'import json,sys; print([s["records_written"] for s in json.loads(sys.argv[1])["streams"]])' "$stdout")" "[0, 0]" "incremental: no row moves again"
src_sql "INSERT INTO users VALUES (7, 'Seven', NULL, true, 7, now());
    INSERT INTO orders SELECT 20, 1, gen_random_uuid(), 1, NULL, NULL, max(updated_at) FROM orders"
run_is 0 "incremental: two new rows, one ties with the last" "$RAPIDBYTE" run "$p" --output json
is "$(python3 -c 'import json,sys; print([s["records_written"] for s in json.loads(sys.argv[1])["streams"]])' "$stdout")" "[1, 1]" "incremental: just these move"
same users "incremental: users after inserts"
same orders "incremental: orders after inserts"
rm -f "$TAP_DIR"/state.db*
run_is 0 "incremental: the state file is lost" "$RAPIDBYTE" run "$p"
same users "incremental: users, without the state"
same orders "incremental: orders, without the state"
run_is 0 "incremental: --full-refresh" "$RAPIDBYTE" run "$p" --full-refresh
same users "--full-refresh: users, every row once"
src_sql "INSERT INTO users VALUES (8, 'Eight', NULL, true, 8, now())"
run_is 0 "incremental after --full-refresh" "$RAPIDBYTE" run "$p"
same users "incremental after --full-refresh: users"

# A table that somebody dropped is loaded again from the start, whatever the ledger says of it.
dst_sql 'DROP TABLE raw.users'
run_is 0 "incremental: the table was dropped" "$RAPIDBYTE" run "$p"
same users "incremental: users after the table was dropped"

# An empty table arrives as a table, and replaces a full one.
reset
STREAMS='- { name: empty }' write_mode=replace
pipeline "$p"
run_is 0 "empty table" "$RAPIDBYTE" run "$p"
is "$(dst_sql "SELECT count(*) FROM raw.empty")" 0 "empty table: it is there"
dst_sql "INSERT INTO raw.empty VALUES (1, 'left over')"
run_is 0 "empty table again" "$RAPIDBYTE" run "$p"
is "$(dst_sql "SELECT count(*) FROM raw.empty")" 0 "empty table: replaces what was there"

# The ledger holds a receipt for each stream of each load.
is "$(dst_sql "SELECT count(*) > 0, bool_and(committed IS NOT NULL) FROM _rapidbyte.loads")" "t|t" "the ledger has receipts"
done_testing

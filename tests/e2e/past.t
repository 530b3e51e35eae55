#!/bin/bash
# What a table holds already, when a stream adds rows to it: a stream whose mode changes goes on where that is exact, and is refused
# where rows would be there twice.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pg_start main || bail "no PostgreSQL"
databases
p=$TAP_DIR/p.yaml

# stream <pipeline> <settings of stream t>
stream() { PIPELINE=$1 STREAMS="- { name: t, destination_table: $1, $2 }" pipeline "$p"; }

# first <pipeline> <settings>: a table of 100 rows, loaded, and then 10 rows more at the source.
first() {
    src_sql "DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, 'v' FROM generate_series(1, 100) g"
    dst_sql "DROP TABLE IF EXISTS raw.$1" 2>/dev/null
    stream "$1" "$2"
    run_is 0 "$1: the first run" "$RAPIDBYTE" run "$p"
    src_sql "INSERT INTO t SELECT g, 'w' FROM generate_series(101, 110) g"
}
rows() { dst_sql "SELECT count(*), count(DISTINCT id) FROM raw.$1"; }

# goes_on <pipeline> <settings>: the next run, with other settings, is exact.
goes_on() {
    stream "$1" "$2"
    run_is 0 "$1: check" "$RAPIDBYTE" check "$p"
    run_is 0 "$1: the next run" "$RAPIDBYTE" run "$p"
    is "$(rows "$1")" "110|110" "$1: every row once"
    src_sql "INSERT INTO t VALUES (111, 'x')"
    run_is 0 "$1: one more" "$RAPIDBYTE" run "$p"
    is "$(rows "$1")" "111|111" "$1: every row once, still"
}

# refused <pipeline> <settings> <expression>: by check and by run, with the same words, before a row moves.
refused() {
    stream "$1" "$2"
    run_is 5 "$1: check" "$RAPIDBYTE" check "$p"
    like "$stdout$stderr" "$3" "$1: check says why"
    run_is 5 "$1: run" "$RAPIDBYTE" run "$p"
    like "$stderr" "$3" "$1: run says why"
    is "$(rows "$1")" "$4" "$1: no row has moved"
}
append='sync_mode: incremental, cursor_field: id, write_mode: append'
upsert='sync_mode: incremental, cursor_field: id, write_mode: upsert, primary_key: [id]'

first from_replace 'write_mode: replace'
refused from_replace "$append" "raw\\.from_replace holds what load [0-9a-f]{32} put there \\(write_mode replace, 20.*kept no cursor" "100|100"
run_is 0 "from_replace: --full-refresh" "$RAPIDBYTE" run "$p" --full-refresh
is "$(rows from_replace)" "110|110" "from_replace: --full-refresh: every row once"
goes_on from_replace "$append"

first set_cursor 'write_mode: replace'
stream set_cursor "$append"
run_is 0 "set_cursor: the operator knows where it stands" "$RAPIDBYTE" state set-cursor "$p" t 100
goes_on set_cursor "$append"

first with_reset 'write_mode: replace'
stream with_reset "$append"
run_is 0 "with_reset: the operator wants all rows added" "$RAPIDBYTE" state reset "$p" --streams t
like "$stdout" "adds.* again" "with_reset: state reset says what that does"
run_is 0 "with_reset: the next run" "$RAPIDBYTE" run "$p"
is "$(rows with_reset)" "210|110" "with_reset: all are added"

first kept_cursor 'write_mode: replace, cursor_field: id'
goes_on kept_cursor "$append"

first truncated 'write_mode: replace, cursor_field: id, replace_method: truncate'
goes_on truncated "$append"

first to_upsert 'write_mode: replace'
goes_on to_upsert "$upsert"
is "$(dst_sql "SELECT count(*) FROM pg_index WHERE indrelid = 'raw.to_upsert'::regclass AND indisunique")" 1 "to_upsert: the table has got the key"

first from_append 'write_mode: append'
refused from_append "$append" "write_mode append" "100|100"
goes_on from_append 'write_mode: replace'

# A cursor from before the table was replaced says nothing of it.
first replaced_since "$append"
goes_on replaced_since 'write_mode: replace'
src_sql "INSERT INTO t VALUES (112, 'y')"
refused replaced_since "$append" "write_mode replace" "111|111"
first truncated_since "$append"
goes_on truncated_since 'write_mode: replace, replace_method: truncate'
src_sql "INSERT INTO t VALUES (112, 'y')"
refused truncated_since "$append" "write_mode replace" "111|111"

# The table was dropped and made again: it gets all rows; with rows in it, that is refused.
first made_anew "$append"
dst_sql 'DROP TABLE raw.made_anew; CREATE TABLE raw.made_anew (id int PRIMARY KEY, v text)'
goes_on made_anew "$append"
first filled_anew "$append"
dst_sql "DROP TABLE raw.filled_anew; CREATE TABLE raw.filled_anew (id int, v text); INSERT INTO raw.filled_anew VALUES (1, 'own')"
refused filled_anew "$append" "another table than the one that the stream's cursor was taken for, and has rows" "1|1"

# A table that was emptied, or restored together with its ledger.
first emptied 'write_mode: replace'
dst_sql 'TRUNCATE raw.emptied'
goes_on emptied "$append"
restore() {
    "$PG_BIN/pg_dump" -h "$PG_SOCKET" -p "$PG_PORT" -U postgres -Fc -f "$TAP_DIR/dump" dst || bail "no dump"
    dst_sql 'SET client_min_messages = error; DROP SCHEMA raw CASCADE; DROP SCHEMA _rapidbyte CASCADE'
    "$PG_BIN/pg_restore" -h "$PG_SOCKET" -p "$PG_PORT" -U postgres -d dst "$TAP_DIR/dump" || bail "no restore"
}
first restored "$append"
restore
goes_on restored "$append"
# What was restored has other numbers: that the table was dropped since is seen by its name alone, and once.
first restored_dropped "$append"
restore
dst_sql 'DROP TABLE raw.restored_dropped'
goes_on restored_dropped "$append"
first dropped_made "$append"
restore
dst_sql 'DROP TABLE raw.dropped_made'
src_sql 'ALTER TABLE t RENAME TO away'
run_is 3 "dropped_made: a run that sees that the table is gone, and fails" "$RAPIDBYTE" run "$p"
src_sql 'ALTER TABLE away RENAME TO t'
dst_sql 'CREATE TABLE raw.dropped_made (id int PRIMARY KEY, v text)'
goes_on dropped_made "$append"

# Rows that nobody loaded.
src_sql "DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a')"
dst_sql "CREATE TABLE raw.foreign_rows (id int, v text); INSERT INTO raw.foreign_rows VALUES (1, 'own')"
for mode in 'write_mode: append' "$append"; do
    dst_sql "DELETE FROM _rapidbyte.loads WHERE pipeline = 'foreign_rows'; DELETE FROM raw.foreign_rows WHERE v <> 'own'"
    stream foreign_rows "$mode"
    run_is 0 "foreign rows, $mode: check" "$RAPIDBYTE" check "$p"
    like "$stdout" "rows that no load of this pipeline put there" "foreign rows, $mode: check says so"
    run_is 0 "foreign rows, $mode: run" "$RAPIDBYTE" run "$p"
    like "$stderr" "\"raw\"\\.\"foreign_rows\" has rows that no load of this pipeline put there" "foreign rows, $mode: run says so"
    is "$(dst_sql 'SELECT count(*) FROM raw.foreign_rows')" 2 "foreign rows, $mode: the row is added"
    run_is 0 "foreign rows, $mode: again" "$RAPIDBYTE" run "$p"
    unlike "$stderr" "no load of this pipeline" "foreign rows, $mode: once"
done
done_testing

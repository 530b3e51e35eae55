#!/bin/bash
# sync_mode: incremental: what is read once, what is read again, what is not read, and what is refused. Beside it: modes.t and
# pipeline_keys.t (ties, NULLs, lookback), checkpoints.t (commits within a stream), concurrency.t (writers).
# shellcheck disable=SC2317,SC2329 # functions that wait_until is given
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
. "$ROOT/tests/lib/faults.sh"
pg_start main || bail "no PostgreSQL"
databases
p=$TAP_DIR/p.yaml
rows() { dst_sql "SELECT string_agg($2, ',' ORDER BY $2) FROM raw.$1"; }
# written <name> <number>: of a run's only stream.
moves() {
    run_is 0 "$1" "$RAPIDBYTE" run "$p" --output json
    is "$(report 'report["streams"][0]["records_written"]')" "$2" "$1: rows that move"
}

# The cursor does not go back, nor to NULL, nor to a value that is above all others.
src_sql "CREATE TABLE g (id int, c timestamptz); INSERT INTO g SELECT i, '2024-01-01'::timestamptz + i * interval '1 day' FROM generate_series(1, 10) i"
STREAMS='- { name: g, sync_mode: incremental, cursor_field: c }' pipeline "$p"
moves "a first run" 10
last() { dst_sql "SELECT checkpoint -> 'resume' ->> 'last' FROM _rapidbyte.loads ORDER BY seq DESC LIMIT 1"; }
before=$(last)
src_sql 'DELETE FROM g WHERE id > 5'
moves "the newest rows are deleted" 0
is "$(last)" "$before" "the cursor stays"
is "$(dst_sql 'SELECT count(*) FROM raw.g')" 10 "a deletion is not carried over"
src_sql "CREATE TABLE h (id int, c timestamptz, n numeric); INSERT INTO h VALUES (1, '2024-01-01', 1), (2, 'infinity', 'NaN'), (3, NULL, NULL)"
for cursor in c n; do
    STREAMS="- { name: h, destination_table: h_$cursor, sync_mode: incremental, cursor_field: $cursor }" PIPELINE="h$cursor" pipeline "$p"
    moves "$cursor: a value above all others, and NULL" 3
    src_sql "INSERT INTO h VALUES (4, '2024-01-02', 2)"
    moves "$cursor: the cursor is below it: the next row is read" 1
    src_sql "DELETE FROM h WHERE id <> 2; INSERT INTO h VALUES (5, 'infinity', 'NaN')"
    moves "$cursor: another one of those, and nothing else" 1
    moves "$cursor: nothing new" 0
    src_sql "TRUNCATE h; INSERT INTO h VALUES (1, '2024-01-01', 1), (2, 'infinity', 'NaN'), (3, NULL, NULL)"
done

# What a row's update does: one that moves the cursor arrives; one that leaves it alone does within the look-back, not before it.
src_sql "CREATE TABLE u (id int, c int, v text); INSERT INTO u SELECT i, i, 'old' FROM generate_series(1, 100) i"
STREAMS='- { name: u, sync_mode: incremental, cursor_field: c, lookback: 10 }' PIPELINE=u pipeline "$p"
moves "a first run" 100
src_sql "UPDATE u SET c = 101, v = 'moved' WHERE id = 1; UPDATE u SET v = 'within' WHERE id = 95; UPDATE u SET v = 'before' WHERE id = 50"
moves "updates" 2
is "$(rows u "id || v")" "$(dst_sql "SELECT string_agg(t, ',' ORDER BY t) FROM (SELECT i || 'old' AS t FROM generate_series(1, 100) i
    UNION ALL VALUES ('1moved'), ('95within')) s")" "append keeps both versions; an update before the window is not seen"

# The plan is asked for with the state's cursors, before the ledger has spoken; when it has others, once more.
python3 -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
assert db.execute("UPDATE checkpoints SET checkpoint_json = json_set(checkpoint_json, ?, ?) WHERE pipeline = ?",
                  ("$.resume.prevxmin", "9999999999999", "u")).rowcount == 1
db.commit()' "$TAP_DIR/state.db" || bail "no cursor in the state"
src_sql "INSERT INTO u VALUES (200, 200, 'new')"
moves "the state has another cursor than the ledger" 1
like "$stderr" "cursor is taken from the destination's ledger" "says so"

# Views have no transactions' numbers: with append, what ties or came late is not found; with upsert the window is read again.
src_sql "CREATE TABLE b (id int PRIMARY KEY, c int); INSERT INTO b VALUES (1, 10); CREATE VIEW view AS SELECT * FROM b"
dst_sql 'CREATE TABLE raw.view_upsert (id int PRIMARY KEY, c int)'
for mode in append upsert; do
    STREAMS="- { name: view, destination_table: view_$mode, sync_mode: incremental, cursor_field: c, write_mode: $mode }" PIPELINE="view$mode" \
        DEST_EXTRA=$([[ $mode == append ]] || echo 'primary_key: [id]') pipeline "$TAP_DIR/$mode.yaml"
    run_is 0 "a view, $mode" "$RAPIDBYTE" run "$TAP_DIR/$mode.yaml"
done
src_sql 'INSERT INTO b VALUES (2, 10), (3, 9), (4, 11)'
run_is 0 "a view, append, again" "$RAPIDBYTE" run "$TAP_DIR/append.yaml"
like "$stderr" 'rows of a view do not say which transaction wrote them' "says what is not promised"
is "$(rows view_append id::text)" "1,4" "a view, append: only what lies above"
run_is 0 "a view, upsert, again" "$RAPIDBYTE" run "$TAP_DIR/upsert.yaml"
is "$(rows view_upsert id::text)" "1,2,3,4" "a view, upsert: the window, too"
run_is 0 "check of a view" "$RAPIDBYTE" check "$TAP_DIR/append.yaml"
like "$stdout$stderr" 'do not say which transaction' "check says so"

# Cursors that say nothing of the table any more are refused: reading on would lose rows without a word.
src_sql 'CREATE TABLE k (id int); INSERT INTO k VALUES (1)'
STREAMS='- { name: k, sync_mode: incremental, cursor_field: id }' PIPELINE=k pipeline "$p"
moves "a first run" 1
for change in 'TRUNCATE k' 'VACUUM FULL k' 'DROP TABLE k; CREATE TABLE k (id int); INSERT INTO k VALUES (1)' 'ALTER TABLE k ADD x float8 DEFAULT random()'; do
    src_sql "$change"
    run_is 3 "$change" "$RAPIDBYTE" run "$p"
    like "$stderr" 'kept cursor of .* does not go with' "$change: refused by name"
    like "$stderr" 'state reset' "$change: the way out"
    run_is 0 "$change: read anew" "$RAPIDBYTE" run "$p" --full-refresh
done
edit() { dst_sql "UPDATE _rapidbyte.loads SET checkpoint = jsonb_set(checkpoint::jsonb, '{resume,$1}', '$2') WHERE pipeline = 'k' AND checkpoint IS NOT NULL"; }
edit system_identifier '"1"'
run_is 3 "another database system" "$RAPIDBYTE" run "$p"
like "$stderr" 'another database system' "another database system: refused by name"
edit system_identifier "\"$(pg_sql 'SELECT system_identifier FROM pg_control_system()')\""
edit timeline 7
run_is 3 "another timeline" "$RAPIDBYTE" run "$p"
like "$stderr" 'timeline' "another timeline: refused by name"
edit timeline 1
edit prevxmin '"99999999999"'
run_is 3 "transactions of another history" "$RAPIDBYTE" run "$p"
like "$stderr" "this server's transactions" "transactions of another history: refused by name"

# A text cursor is compared by its bytes, whatever the column's collation says.
src_sql "CREATE TABLE x (id int, c text COLLATE \"en-x-icu\"); INSERT INTO x VALUES (1, 'a'), (2, 'Z')"
STREAMS='- { name: x, sync_mode: incremental, cursor_field: c }' PIPELINE=x pipeline "$p"
moves "text" 2
src_sql "INSERT INTO x VALUES (3, 'b'), (4, 'B')"
moves "text: above by bytes, and below" 2
same x "text: each row once"
# Nor is there a second look at a view's rows, which would find what the order missed.
src_sql "CREATE VIEW xv AS SELECT * FROM x"
STREAMS='- { name: xv, sync_mode: incremental, cursor_field: c }' PIPELINE=xv pipeline "$p"
moves "text, a view" 4
src_sql "INSERT INTO x VALUES (5, 'c'), (6, 'C')"
moves "text, a view: above by bytes, and nothing else" 1

# A standby says less of its transactions than its primary, and is read as exactly.
src_sql 'CREATE TABLE l (id int, c int); INSERT INTO l SELECT i, i FROM generate_series(1, 100) i'
make_gate src
standby=$PG_DIR/standby
pg_as_owner "$PG_BIN/pg_basebackup" -h "$PG_SOCKET" -p "$PG_PORT" -U postgres -D "$standby" -R -X stream --checkpoint=fast || bail "no standby"
standby_port=$(pg_free_port 0)
at_exit pg_as_owner "$PG_BIN/pg_ctl" -D "$standby" -m immediate stop
pg_as_owner "$PG_BIN/pg_ctl" -D "$standby" -l "$PG_DIR/standby.log" -w -o "-p $standby_port" start >/dev/null || bail "the standby does not start"
caught_up() { [[ $(pg_sql 'SELECT count(*) FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_lsn()') == 1 ]]; }
SOURCE_PORT=$standby_port STREAMS='- { name: l, sync_mode: incremental, cursor_field: c }' PIPELINE=l pipeline "$p"
close_gate src
PGAPPNAME=slow-writer src_sql 'BEGIN; INSERT INTO l VALUES (101, 50); SAVEPOINT s; INSERT INTO l VALUES (102, 51); RELEASE SAVEPOINT s; SELECT gate(20000); COMMIT' >/dev/null 2>&1 &
writer=$!
writer_waits() { [[ $(pg_sql "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'slow-writer' AND wait_event = 'advisory'") == 1 ]]; }
wait_until "$PATIENCE_S" writer_waits || bail "the slow writer does not write"
src_sql 'INSERT INTO l VALUES (103, 100)'
wait_until "$PATIENCE_S" caught_up
moves "a standby" 101
open_gate src
wait "$writer"
src_sql 'INSERT INTO l VALUES (104, 100), (105, 101)'
wait_until "$PATIENCE_S" caught_up
moves "a standby: late, tied and new rows" 4
same l "a standby: each row once"

# What is promised at "ok" is on the destination's disk, whatever its database is set to.
dst_sql "ALTER DATABASE dst SET synchronous_commit = off; CREATE TABLE raw.durable (id int); CREATE TABLE raw.said (word text);
    CREATE FUNCTION raw.say() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO raw.said VALUES (current_setting(''synchronous_commit'')); RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER say AFTER INSERT ON raw.durable DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION raw.say()"
src_sql 'CREATE TABLE durable (id int); INSERT INTO durable VALUES (1)'
STREAMS='- { name: durable }' PIPELINE=durable pipeline "$p"
moves "synchronous_commit = off" 1
is "$(dst_sql 'SELECT word FROM raw.said')" on "the COMMIT of a load waits for the disk"
dst_sql "CREATE CONSTRAINT TRIGGER say AFTER INSERT OR UPDATE ON _rapidbyte.open_loads DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION raw.say()"
moves "synchronous_commit = off, again" 1
is "$(dst_sql 'SELECT string_agg(word, $$ $$) FROM raw.said')" "on on on on" "so do those that begin and end it: a server that crashes meanwhile still knows the load"
done_testing

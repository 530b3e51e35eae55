#!/bin/bash
# Checkpoints within a stream: what is committed before a failure stays, and the next run goes on behind it, exactly.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
. "$ROOT/tests/lib/faults.sh"
pg_start main || bail "no PostgreSQL"
databases
p=$TAP_DIR/p.yaml
write_mode=append
rows='resources: { checkpoint_interval_rows: 1000 }'

# 30,000 rows, seven to a cursor, and none in the cursor's order; rows without a cursor, and at its ends.
src_sql "CREATE TABLE t (id int PRIMARY KEY, c timestamptz, v text);
    INSERT INTO t SELECT g, '2024-01-01'::timestamptz + (g / 7) * interval '1 second', 'v' || g FROM generate_series(1, 30000) g ORDER BY hashint4(g);
    INSERT INTO t VALUES (-1, NULL, 'null'), (-2, 'infinity', 'last'), (-3, '-infinity', 'first')"
STREAMS='- { name: t, sync_mode: incremental, cursor_field: c }'

# refuse <SQL condition on NEW>: the destination's table fails at such a row.
refuse() {
    dst_sql "CREATE OR REPLACE FUNCTION raw.refuse() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN IF $1 THEN RAISE ''refused''; END IF; RETURN NEW; END'"
}
# target <columns>: a table that refuses id 20000.
target() {
    fresh
    dst_sql "CREATE SCHEMA raw; CREATE TABLE raw.t ($1)"
    refuse 'NEW.id = 20000'
    dst_sql 'CREATE TRIGGER refuse BEFORE INSERT ON raw.t FOR EACH ROW EXECUTE FUNCTION raw.refuse()'
}
parts() { dst_sql "SELECT count(*) FROM _rapidbyte.loads WHERE mode = 'checkpoint'"; }
n_rows() { dst_sql 'SELECT count(*) FROM raw.t'; }

# prefixes <name>: each part ended between two cursors, with all rows up to its own and none beyond.
prefixes() {
    local ends wrong
    ends=$(dst_sql "SELECT string_agg(format('(%s, %L)', n, last), ', ') FROM (SELECT sum(rows) OVER (ORDER BY seq) AS n,
        checkpoint -> 'resume' ->> 'last' AS last FROM _rapidbyte.loads WHERE mode = 'checkpoint') p")
    wrong=$(src_sql "SELECT count(*) FROM (VALUES $ends) p (n, last)
        WHERE n <> (SELECT count(*) FROM t WHERE c <= p.last::timestamptz OR c IS NULL OR c = 'infinity')")
    is "$wrong" 0 "$1"
}

target 'id int, c timestamptz, v text'
EXTRA=$rows pipeline "$p"
run_is 5 "a run fails at a row in the middle" "$RAPIDBYTE" run "$p" --output json
k=$(parts) seen=$(n_rows)
cmp_ok "$k" -ge 15 "checkpoints were committed before it"
is "$(dst_sql 'SELECT sum(rows) FROM _rapidbyte.loads')" "$seen" "the ledger has the rows that show"
prefixes "what shows is a prefix in the cursor's order, ties undivided"
is "$(report 'report["streams"][0]["records_written"]')" "$seen" "the report has the rows that show"
like "$stderr$stdout" "$seen rows up to its last checkpoint" "and says so"
is "$(state_sql "$TAP_DIR/state.db" 'SELECT count(*) FROM checkpoints')" 1 "the state has the cursor"
refuse false
run_is 0 "the next run goes on" "$RAPIDBYTE" run "$p" --output json
is "$(report 'report["streams"][0]["records_written"]')" $((30003 - seen)) "with the rows that were left, and no others"
same t "each row once"
is "$(dst_sql 'SELECT sum(rows) FROM _rapidbyte.loads')" 30003 "the ledger adds up"
prefixes "each part is exact"
src_sql "INSERT INTO t SELECT g, '2025-01-01'::timestamptz + g * interval '1 second', 'new' FROM generate_series(30001, 32500) g"
run_is 0 "a run after it is a new load" "$RAPIDBYTE" run "$p"
same t "with the new rows alone"

# The other intervals, and none.
for interval in 'checkpoint_interval_bytes: 100kb' 'checkpoint_interval_rows: 0'; do
    target 'id int, c timestamptz, v text'
    EXTRA="resources: { $interval }" pipeline "$p"
    run_is 5 "$interval: a run fails" "$RAPIDBYTE" run "$p"
    if [[ $interval == *rows* ]]; then
        is "$(n_rows)" 0 "$interval: nothing shows"
    else
        cmp_ok "$(parts)" -ge 5 "$interval: parts were committed"
        prefixes "$interval: at their ends"
    fi
    refuse false
    run_is 0 "$interval: the next run" "$RAPIDBYTE" run "$p"
    same t "$interval: each row once"
done
src_sql "CREATE FUNCTION slowly(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN IF \$1 % 1000 = 0 THEN PERFORM pg_sleep(0.15); END IF; RETURN true; END'"
fresh
src_sql 'CREATE INDEX ON t (c)' # rows come as they are found
STREAMS="- { name: t, sync_mode: incremental, cursor_field: c, where: 'public.slowly(id) AND id <= 20000' }" \
    EXTRA='resources: { checkpoint_interval_seconds: 1 }' pipeline "$p"
run_is 0 "checkpoint_interval_seconds: a slow stream" "$RAPIDBYTE" run "$p"
cmp_ok "$(parts)" -ge 1 "parts were committed"
cmp_ok "$(parts)" -le 6 "no more than seconds passed"
is "$(n_rows)" 20003 "each row once"

# A destination that is lost in the middle: the same run goes on behind its checkpoints.
target 'id int, c timestamptz, v text'
dst_sql 'DROP TRIGGER refuse ON raw.t'
gate_trigger raw.t
EXTRA=$rows pipeline "$p"
close_gate dst
launch "$RAPIDBYTE" run "$p" --output json
wait_until "$PATIENCE_S" at_gate dst || bail "the run does not get to the gate"
end_session dst "wait_event = 'advisory'"
open_gate dst
finish
is "$status" 0 "a lost connection is one more attempt"
same t "each row once"
is "$(report 'report["streams"][0]["attempts"], report["streams"][0]["records_written"]')" "(2, 32503)" "both attempts' rows are counted, once"

# The whole run is killed between two checkpoints.
target 'id int, c timestamptz, v text'
dst_sql 'DROP TRIGGER refuse ON raw.t'
gate_trigger raw.t
close_gate dst
launch "$RAPIDBYTE" run "$p"
wait_until "$PATIENCE_S" at_gate dst || bail "the run does not get to the gate"
worker=$(worker_of "$RUN_PID")
kill -KILL "$RUN_PID" "$worker"
finish
open_gate dst
wait_until "$PATIENCE_S" no_sessions
seen=$(n_rows)
cmp_ok "$seen" -ge 15000 "what was committed stays"
prefixes "and is a prefix"
rm -f "$TAP_DIR"/state.db*
run_is 0 "the next run, which has no state, goes on" "$RAPIDBYTE" run "$p" --output json
is "$(report 'report["streams"][0]["records_written"]')" $((32503 - seen)) "behind the ledger's checkpoint"
same t "each row once"

# A run is lost to us while the server commits for it: the next run ends that server process, so that only one of the two counts.
target 'id int, c timestamptz, v text'
dst_sql 'DROP TRIGGER refuse ON raw.t'
gate_trigger raw.t 'CONSTRAINT TRIGGER gate AFTER INSERT' 'DEFERRABLE INITIALLY DEFERRED'
close_gate dst
launch "$RAPIDBYTE" run "$p"
wait_until "$PATIENCE_S" at_gate dst || bail "the run does not get to its COMMIT"
worker=$(worker_of "$RUN_PID")
stopped=("$RUN_PID" "$worker")
at_exit kill -KILL "${stopped[@]}"
kill -STOP "${stopped[@]}" # their connections stay: a server that finds them gone would give up
end_session dst "state = 'idle'" || bail "nobody has the pipeline's lock"
STATE=second EXTRA=$rows pipeline "$TAP_DIR/second.yaml"
launch "$RAPIDBYTE" run "$TAP_DIR/second.yaml"
committing=$(pg_sql "SELECT pid FROM pg_stat_activity WHERE datname = 'dst' AND wait_event = 'advisory'")
# shellcheck disable=SC2317
ended() { [[ $(pg_sql "SELECT count(*) FROM pg_stat_activity WHERE pid = $committing") == 0 ]]; }
ok "the next run ends the process that was about to commit" wait_until "$PATIENCE_S" ended
open_gate dst
finish
is "$status" 0 "the next run has the table to itself" || diag "$stderr"
like "$stderr" "server process $committing of an earlier run was still at work for pipeline 'test'; it was ended" "says so"
same t "each row once"
kill -KILL "${stopped[@]}"
wait_until "$PATIENCE_S" no_sessions

# What happens at the source between a failure and the next run. The rows' transactions were open when the first run read, or
# began since; their cursors lie below the checkpoint, or above.
target 'id int, c timestamptz, v text'
EXTRA=$rows pipeline "$p"
# shellcheck disable=SC2317 # called by wait_until
writer_waits() { [[ $(pg_sql "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'slow-writer' AND wait_event = 'advisory'") == 1 ]]; }
src_sql "CREATE TABLE done (id int)"
make_gate src
close_gate src
PGAPPNAME=slow-writer src_sql "BEGIN; INSERT INTO t VALUES (40001, '2024-01-01 00:30', 'late');
    SAVEPOINT s; INSERT INTO t VALUES (40002, '2024-01-01 00:30', 'late, under a savepoint'); RELEASE SAVEPOINT s;
    SAVEPOINT s; INSERT INTO t VALUES (40003, '2024-01-01 00:30', 'rolled back'); ROLLBACK TO SAVEPOINT s;
    INSERT INTO t VALUES (40004, NULL, 'late, no cursor'), (40005, '2024-06-01', 'late, above');
    SELECT gate(20000); COMMIT" >/dev/null 2>&1 &
writer=$!
wait_until "$PATIENCE_S" writer_waits || bail "the slow writer does not write"
src_sql "INSERT INTO t VALUES (40008, '2024-01-01 00:32', 'begun after it, committed before the run'), (40009, NULL, 'likewise, no cursor')"
run_is 5 "a run fails while a transaction is open" "$RAPIDBYTE" run "$p"
prefixes "what shows is a prefix"
open_gate src
wait "$writer"
src_sql "INSERT INTO t VALUES (40006, '2024-01-01 00:31', 'begun since, below'), (40007, '2024-06-02', 'begun since, above');
    UPDATE t SET v = 'changed' WHERE id = 29000; UPDATE t SET c = '2024-06-03' WHERE id = 28000; DELETE FROM t WHERE id = 27000"
refuse false
run_is 0 "the next run" "$RAPIDBYTE" run "$p"
same t "late and new rows once each, what was changed above the checkpoint as it is now"

# An update below the checkpoint is a new version of a row, which append adds; the last checkpoint of a run knows it, too.
src_sql "UPDATE t SET v = 'again', c = '2025-06-01' WHERE id = 5"
run_is 0 "a row's cursor moves" "$RAPIDBYTE" run "$p"
is "$(dst_sql 'SELECT count(*), count(DISTINCT v) FROM raw.t WHERE id = 5')" "2|2" "both versions are there"

# --full-refresh puts an end to a load of which parts stand.
target 'id int, c timestamptz, v text'
run_is 5 "a run fails" "$RAPIDBYTE" run "$p"
refuse false
run_is 0 "--full-refresh behind its parts" "$RAPIDBYTE" run "$p" --full-refresh
same t "each row once"
run_is 0 "and a run after it" "$RAPIDBYTE" run "$p"
same t "adds nothing"

# Parts are no receipt: a run of other streams does not end the load.
src_sql 'CREATE TABLE u (id int); INSERT INTO u VALUES (1)'
target 'id int, c timestamptz, v text'
STREAMS='- { name: t, sync_mode: incremental, cursor_field: c }
- { name: u }' EXTRA=$rows pipeline "$p"
run_is 8 "one of two streams fails behind its parts" "$RAPIDBYTE" run "$p"
run_is 0 "the other one is run alone" "$RAPIDBYTE" run "$p" --streams u
refuse false
run_is 0 "both are run" "$RAPIDBYTE" run "$p"
is "$(dst_sql 'SELECT count(*) FROM raw.u')" 1 "the other stream was loaded once"
same t "each row once"

# Cursors of every type: values that tie though their form differs, values before the epoch, an order that is not the locale's.
types() { # types <name> <type> <expression of g, 1 … 6000>
    src_sql "DROP TABLE t; CREATE TABLE t (id int, c $2); INSERT INTO t SELECT g, $3 FROM generate_series(1, 6000) g ORDER BY hashint4(g)"
    fresh
    dst_sql "CREATE SCHEMA raw; CREATE TABLE raw.t (id int, c $2)"
    refuse 'NEW.id = 3000'
    dst_sql 'CREATE TRIGGER refuse BEFORE INSERT ON raw.t FOR EACH ROW EXECUTE FUNCTION raw.refuse()'
    STREAMS='- { name: t, sync_mode: incremental, cursor_field: c, lookback: full }' EXTRA='resources: { checkpoint_interval_rows: 100 }' pipeline "$p"
    run_is 5 "a cursor of type $1: a run fails" "$RAPIDBYTE" run "$p"
    cmp_ok "$(parts)" -ge 5 "$1: parts were committed"
    refuse false
    run_is 0 "$1: the next run" "$RAPIDBYTE" run "$p"
    same t "$1: each row once"
}
types smallint int2 '(g / 7 - 400)::int2'
types bigint int8 '(g / 7)::int8 * 10000000000 - 4000000000000'
types numeric numeric "round((g / 40 - 70)::numeric * 0.1 + g / 40 * 10000, 1 + g % 4)"
types date date "'0005-01-01 BC'::date + g / 3 * 2"
types timestamp timestamp "'0001-12-31 23:59:58.5 BC'::timestamp + g / 7 * interval '33.000007 seconds'"
types uuid uuid "md5((g / 7)::text)::uuid"
types text text "chr(65 + (g + 30) % 60) || 'é' || g / 7"

# What can't be: the cursor's column is not read; a connector that does not know of it.
STREAMS='- { name: t, sync_mode: incremental, cursor_field: c, columns: [id] }' EXTRA=$rows pipeline "$p"
run_is 3 "the cursor is not among the columns" "$RAPIDBYTE" run "$p"
like "$stderr" 'checkpoint_interval_.*"c" is not among' "is refused by name"
STREAMS='- { name: t, sync_mode: incremental, cursor_field: c }' EXTRA=$rows pipeline "$p"
sed -i "s/use: dest-postgres/use: dest-count/; s/^  config: { *host: .*schema: raw.*/  config: {}/" "$p"
run_is 4 "a destination that does not know checkpoints within a stream" "$RAPIDBYTE" run "$p"
like "$stderr" "dest-count" "is refused by name"
done_testing

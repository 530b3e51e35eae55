#!/bin/bash
# One run of a pipeline at a time: by the state's lock, and by the destination's when the state differs.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
. "$ROOT/tests/lib/faults.sh"
pg_start main || bail "no PostgreSQL"
databases
src_sql "CREATE TABLE t (id integer, pad text);
    INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 20000) g"
make_gate src
p=$TAP_DIR/p.yaml
STREAMS='- { name: t, where: public.gate(id) }'
pipeline "$p"
STATE=other pipeline "$TAP_DIR/other.yaml"
PIPELINE=another STATE=another STREAMS='- { name: t, destination_table: t2, where: id < 20000 }' pipeline "$TAP_DIR/another.yaml"

close_gate src
launch "$RAPIDBYTE" run "$p"
wait_until "$PATIENCE_S" at_gate src || bail "the first run does not come to the gate: $(<"$TAP_STDERR")"

# A file of its own: launch's output is still being written. locked <name> <document>: milliseconds in took.
locked() {
    local start
    start=$(now_ms)
    "$RAPIDBYTE" run "$2" >"$TAP_DIR/out" 2>&1
    is "$?" 7 "$1: exit code"
    took=$(($(now_ms) - start))
    output=$(<"$TAP_DIR/out")
}

locked "the same state" "$p"
like "$output" "pipeline 'test' is being run by process $RUN_PID " "the same state: its process is named"
like "$output" "kill $RUN_PID" "the same state: what to do"
cmp_ok "$took" -lt 3000 "the same state: at once"
is "$(state_sql "$TAP_DIR/state.db" 'SELECT count(*) FROM runs')" 1 "the same state: the refused run is none"

holder=$(pg_sql "SELECT l.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND datname = 'dst' AND application_name LIKE 'rapidbyte%'")
locked "another state" "$TAP_DIR/other.yaml"
like "$output" "pipeline 'test' is being loaded by another run \(server process $holder" "another state: the server's process is named"
cmp_ok "$took" -lt 3000 "another state: at once"
is "$(run_record "$TAP_DIR/other.db")" "failed|7" "another state: recorded"

"$RAPIDBYTE" run "$TAP_DIR/another.yaml" >"$TAP_DIR/out" 2>&1
is "$?" 0 "another pipeline is not locked" || diag "$(<"$TAP_DIR/out")"
is "$(dst_sql 'SELECT count(*) FROM raw.t2')" 19999 "another pipeline: loaded meanwhile"

open_gate src
finish
is "$status" 0 "the first run was not disturbed" || diag "$stderr"
same t "the first run: exact"
is "$(state_sql "$TAP_DIR/state.db" 'SELECT count(*) FROM locks')" 0 "its lock is released"
run_is 0 "another state: afterwards" "$RAPIDBYTE" run "$TAP_DIR/other.yaml"
is "$(dst_sql 'SELECT count(*) FROM raw.t')" 40000 "another state: afterwards it runs"

# A run that has lost the pipeline's lock with its session, and whose load another run has taken over: it commits nothing.
src_sql 'CREATE TABLE late AS SELECT 20000 AS id'
close_gate src
PIPELINE=lost STATE=lost STREAMS='- { name: late, where: public.gate(id) }' pipeline "$TAP_DIR/lost.yaml"
PIPELINE=lost STATE=taker STREAMS='- { name: late }' pipeline "$TAP_DIR/taker.yaml"
launch "$RAPIDBYTE" run "$TAP_DIR/lost.yaml"
wait_until "$PATIENCE_S" at_gate src || bail "the run does not come to the gate: $(<"$TAP_STDERR")"
# A lane may be connected, too, and idle: it waits for its first row.
is "$(pg_sql "SELECT count(pg_terminate_backend(l.pid)) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND datname = 'dst' AND application_name LIKE 'rapidbyte%'")" 1 "the session that holds the lock is ended"
run_is 0 "another run takes the load over" "$RAPIDBYTE" run "$TAP_DIR/taker.yaml"
open_gate src
finish
is "$status" 7 "the run that lost its lock: exit code"
like "$stderr" "lock of .*pipeline 'lost'|pipeline's lock" "the run that lost its lock says so"
is "$(dst_sql "SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'late'")" 1 "the run that lost its lock: no row is written"
is "$(dst_sql 'SELECT count(*) FROM raw.late')" 1 "a run whose load was taken over commits nothing"

# A run whose lock is gone ends before it writes, though no other run has begun: what has been committed stays, and nothing else comes.
src_sql 'CREATE TABLE first AS SELECT 1 AS id; CREATE TABLE second AS SELECT 20000 AS id; CREATE TABLE third AS SELECT 3 AS id'
close_gate src
PIPELINE=cut STATE=cut STREAMS='- { name: first, write_mode: replace }
- { name: second, where: public.gate(id), write_mode: replace }
- { name: third, write_mode: replace }' EXTRA='resources: { parallelism: 1 }' pipeline "$TAP_DIR/cut.yaml"
launch "$RAPIDBYTE" run "$TAP_DIR/cut.yaml"
wait_until "$PATIENCE_S" at_gate src || bail "the run does not come to the gate: $(<"$TAP_STDERR")"
is "$(pg_sql "SELECT count(pg_terminate_backend(l.pid)) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND datname = 'dst' AND application_name LIKE 'rapidbyte%'")" 1 "between two streams the lock's session is ended"
open_gate src
finish
is "$status" 8 "a run without its lock: some streams are committed" || diag "$stderr"
like "$stderr" "the session that held the lock of pipeline 'cut' .*was lost.*writes no more" "a run without its lock says what happened"
like "$stderr" "hint: run again" "a run without its lock says what to do"
is "$(dst_sql "SELECT to_regclass('raw.first') IS NOT NULL, to_regclass('raw.second') IS NULL, to_regclass('raw.third') IS NULL")" "t|t|t" \
    "a run without its lock: what comes after it is not written"
unlike "$stderr" "stream 'third'" "a run without its lock begins no other stream"
is "$(pg_sql "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")" 0 "a run without its lock leaves none"
PIPELINE=cut STATE=cut STREAMS='- { name: first, write_mode: replace }
- { name: second, write_mode: replace }
- { name: third, write_mode: replace }' pipeline "$TAP_DIR/cut.yaml"
run_is 0 "the run after one that lost its lock" "$RAPIDBYTE" run "$TAP_DIR/cut.yaml"
for table in first second third; do same "$table" "the run after one that lost its lock: $table"; done

# A lock whose process is gone, or whose number is another's by now, is nobody's.
python3 -c '
import os, socket, sqlite3, sys
boot = open("/proc/sys/kernel/random/boot_id").read().strip()
db = sqlite3.connect(sys.argv[1])
db.execute("INSERT INTO locks VALUES (?, ?, ?, ?, ?, ?, ?)", ("test", "x" * 16, int(sys.argv[2]), 1, boot, socket.gethostname(), 0))
db.commit()' "$TAP_DIR/state.db" $$
run_is 0 "a stale lock is taken over" "$RAPIDBYTE" run "$p"
done_testing

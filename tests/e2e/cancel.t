#!/bin/bash
# Ctrl-C, SIGTERM and timeouts.run at every stage of a run: it ends in under two seconds, is recorded
# as cancelled, nothing is visible, nothing is left behind, and the next run is exact.
# shellcheck disable=SC2317,SC2329 # functions that wait_until is given
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
. "$ROOT/tests/lib/faults.sh"
pg_start main || bail "no PostgreSQL"
databases
src_sql "CREATE TABLE t (id integer PRIMARY KEY, pad text);
    INSERT INTO t SELECT g, repeat(md5(g::text), 32) FROM generate_series(1, 30000) g;
    CREATE FUNCTION nap(integer) RETURNS integer LANGUAGE sql VOLATILE AS 'SELECT \$1 FROM pg_sleep(600)';
    CREATE VIEW slow AS SELECT nap(id) AS id, pad FROM t"
STREAMS='- { name: t }'
p=$TAP_DIR/p.yaml
# Compiled before time is measured.
pipeline "$p"
run_is 0 "without a signal" "$RAPIDBYTE" run "$p"
same t "without a signal: exact"

# gone <name> [<rows before>]: what every cancelled run comes to.
gone() {
    is "$status" 130 "$1: exit code" || diag "$stderr"
    cmp_ok "$RUN_TOOK_MS" -lt "$CANCEL_LIMIT_MS" "$1: in time"
    diag "$1: $RUN_TOOK_MS ms from the signal to the exit"
    is "$(run_record "$TAP_DIR/state.db")" "cancelled|130" "$1: recorded"
    ok "$1: the worker is gone" is_gone "$worker"
    ok "$1: no session is left" wait_until 2 no_sessions
    is "$(dst_sql "SELECT to_regclass('raw.t') IS NULL AND to_regclass('raw.slow') IS NULL")" t "$1: nothing is visible"
    is "$(leftovers)" 0 "$1: no staging, no temporary tables"
}

# begin <name> <command words>: launch, and wait until the command succeeds.
begin() {
    local name=$1
    shift
    launch "$RAPIDBYTE" run "$p"
    ok "$name: under way" wait_until "$PATIENCE_S" "$@" || diag "$(<"$TAP_STDERR")"
    worker=$(worker_of "$RUN_PID")
}

again() {
    pipeline "$p"
    run_is 0 "$1: the next run" "$RAPIDBYTE" run "$p"
    same t "$1: the next run is exact"
}

# While a connector is compiled, before there is anything else.
is_compiling() {
    local child
    for child in $(<"/proc/$RUN_PID/task/$RUN_PID/children"); do
        grep -qz '^compile$' "/proc/$child/cmdline" && compiler=$child && return 0
    done
    return 1
}
fresh
launch env RAPIDBYTE_CACHE_DIR="$TAP_DIR/cache" "$RAPIDBYTE" run "$p"
ok "compiling: under way" wait_until "$PATIENCE_S" is_compiling
worker=$compiler
interrupt INT
gone "compiling"

# A listener whose connections nobody answers; the number of those that have been made.
python3 -c '
import socket, sys, threading
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(16)
print(s.getsockname()[1], flush=True)
kept = []
while True:
    kept.append(s.accept())
    print("connected", flush=True)' >"$TAP_DIR/mute" &
at_exit kill -KILL $!
wait_until "$PATIENCE_S" test -s "$TAP_DIR/mute"
mute_port=$(head -n 1 "$TAP_DIR/mute")
is_connected() { grep -q connected "$TAP_DIR/mute"; }

fresh
SOURCE_PORT=$mute_port pipeline "$p"
begin "source does not answer" is_connected
interrupt INT
gone "source does not answer"
again "source does not answer"

fresh
: >"$TAP_DIR/mute"
DEST_PORT=$mute_port pipeline "$p"
begin "destination does not answer" is_connected
interrupt TERM
gone "destination does not answer"

for signal in INT TERM; do
    fresh
    STREAMS='- { name: slow }' pipeline "$p"
    begin "$signal, slow query" session src "wait_event = 'PgSleep'"
    interrupt "$signal"
    gone "$signal, slow query"
done
again "slow query"

# A destination that takes no rows: the channel is full, and the source's server is kept from sending.
# trigger <type, event>: on raw.t, sleeping for ten minutes.
trigger() {
    dst_sql "CREATE SCHEMA raw; CREATE TABLE raw.t (id integer PRIMARY KEY, pad text);
        CREATE FUNCTION raw.nap() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); RETURN NEW; END';
        CREATE $1 ON raw.t $2 FOR EACH ROW EXECUTE FUNCTION raw.nap()"
}

# blocked <name>: as gone, for a table that was there before; then the next run.
blocked() {
    is "$status" 130 "$1: exit code" || diag "$stderr"
    cmp_ok "$RUN_TOOK_MS" -lt "$CANCEL_LIMIT_MS" "$1: in time"
    diag "$1: $RUN_TOOK_MS ms from the signal to the exit"
    is "$(run_record "$TAP_DIR/state.db")" "cancelled|130" "$1: recorded"
    ok "$1: the worker is gone" is_gone "$worker"
    ok "$1: no session is left" wait_until 2 no_sessions
    is "$(leftovers)" 0 "$1: no staging, no temporary tables"
    dst_sql "SET client_min_messages = error; DROP TRIGGER IF EXISTS nap ON raw.t"
    is "$(dst_sql 'SELECT count(*) FROM raw.t')" 0 "$1: nothing is visible"
    again "$1"
}

source_blocked() {
    session dst "$1" && session src "wait_event = 'ClientWrite'"
}

for mode in append upsert; do
    fresh
    trigger 'TRIGGER nap BEFORE INSERT' ''
    EXTRA='resources: { max_inflight_batches: 2, compression: none }' write_mode=$mode pipeline "$p"
    if [[ $mode == append ]]; then
        begin "$mode, full channel" source_blocked "wait_event = 'PgSleep'"
    else
        begin "$mode, while rows move" session dst "wait_event = 'PgSleep' AND query LIKE '%INSERT INTO%'"
    fi
    interrupt INT
    blocked "$mode, blocked by a trigger"
done

fresh
trigger 'CONSTRAINT TRIGGER nap AFTER INSERT' 'DEFERRABLE INITIALLY DEFERRED'
pipeline "$p"
begin "commit" session dst "wait_event = 'PgSleep' AND query LIKE '%COMMIT%'"
interrupt TERM
blocked "during COMMIT"

fresh
trigger 'TRIGGER none AFTER DELETE' ''
dst_sql 'BEGIN; LOCK TABLE raw.t IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)' >/dev/null 2>&1 &
at_exit kill $!
wait_until "$PATIENCE_S" eval '[[ $(pg_sql "SELECT count(*) FROM pg_locks WHERE mode = '\''AccessExclusiveLock'\'' AND granted AND relation IS NOT NULL") != 0 ]]'
pipeline "$p"
begin "lock" session dst "wait_event_type = 'Lock'"
interrupt INT
pg_sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK%'" >/dev/null
blocked "blocked by a lock"

# A worker that does not come back is killed, and its statements are cancelled for it.
fresh
STREAMS='- { name: slow }' pipeline "$p"
begin "a worker that hangs" session src "wait_event = 'PgSleep'"
kill -STOP "$worker"
interrupt INT
gone "a worker that hangs"
cmp_ok "$RUN_TOOK_MS" -ge 900 "a worker that hangs: it was given a second"

# Two signals within a second are one, as timeout and schedulers send them.
fresh
STREAMS='- { name: slow }' pipeline "$p"
begin "two at once" session src "wait_event = 'PgSleep'"
kill -STOP "$worker"
kill -TERM "$RUN_PID"
is_cancelled() { ! session src "wait_event = 'PgSleep'"; }
ok "two at once: the first was taken" wait_until 2 is_cancelled
interrupt TERM
gone "two at once"
again "two at once"

# timeout sends SIGTERM to the command and then to the whole group, the worker in it.
fresh
STREAMS='- { name: slow }' pipeline "$p"
run env --default-signal=INT,TERM,HUP timeout -k 20 3 "$RAPIDBYTE" run "$p"
is "$status" 124 "timeout: exit code"
is "$(run_record "$TAP_DIR/state.db")" "cancelled|130" "timeout: recorded"
unlike "$stderr" "crashed|killed" "timeout: the worker is not taken for one that crashed"

# The terminal is closed. nohup means that it does not matter.
fresh
STREAMS='- { name: slow }' pipeline "$p"
begin "SIGHUP" session src "wait_event = 'PgSleep'"
kill -TERM "$worker"
kill -HUP "$worker"
sleep 0.3
is "$(worker_of "$RUN_PID")" "$worker" "SIGHUP: the worker leaves signals to its supervisor"
interrupt HUP
gone "SIGHUP"
again "SIGHUP"
fresh
STREAMS='- { name: slow }' pipeline "$p"
launch env --ignore-signal=HUP "$RAPIDBYTE" run "$p"
ok "nohup: under way" wait_until "$PATIENCE_S" session src "wait_event = 'PgSleep'"
worker=$(worker_of "$RUN_PID")
kill -HUP "$RUN_PID"
sleep 0.5
ok "nohup: goes on" session src "wait_event = 'PgSleep'"
interrupt TERM
gone "nohup, then SIGTERM"

# A later signal means now, wherever the run hangs: here at a state file that somebody has locked.
fresh
STREAMS='- { name: slow }' pipeline "$p"
begin "second signal" session src "wait_event = 'PgSleep'"
hold_state
ok "second signal: the state is locked" wait_until "$PATIENCE_S" state_is_held
kill -INT "$RUN_PID"
sleep 1.3
ok "second signal: the first one's end is waited for" kill -0 "$RUN_PID"
interrupt INT
is "$status" 130 "second signal: exit code"
cmp_ok "$RUN_TOOK_MS" -lt 500 "second signal: at once"
diag "second signal: $RUN_TOOK_MS ms"
ok "second signal: the worker is gone" wait_until 2 is_gone "$worker"
kill "$STATE_HOLDER"
again "second signal"

# timeouts.run
fresh
STREAMS='- { name: slow }' EXTRA='timeouts: { run: 1500ms }' pipeline "$p"
start=$(now_ms)
launch "$RAPIDBYTE" run "$p"
wait_until "$PATIENCE_S" worker_of "$RUN_PID"
worker=$(worker_of "$RUN_PID")
finish
RUN_TOOK_MS=$(($(now_ms) - start - 1500))
gone "timeouts.run"
cmp_ok "$RUN_TOOK_MS" -ge 0 "timeouts.run: not before its time"
like "$stderr" "timeouts.run" "timeouts.run: says why"

# The compiler has no supervisor's deadline of its own.
fresh
EXTRA='timeouts: { run: 300ms }' pipeline "$p"
start=$(now_ms)
launch env RAPIDBYTE_CACHE_DIR="$TAP_DIR/cold" "$RAPIDBYTE" run "$p"
wait_until "$PATIENCE_S" is_compiling && worker=$compiler
finish
RUN_TOOK_MS=$(($(now_ms) - start - 300))
gone "timeouts.run, compiling"
like "$stderr" "timeouts.run" "timeouts.run, compiling: says why"
done_testing

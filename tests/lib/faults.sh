# shellcheck shell=bash
# Runs that something happens to, for tests (after tap.sh, pg.sh and pipeline.sh):
#
#   launch "$RAPIDBYTE" run "$p"          # in the background: RUN_PID
#   wait_until 20 session dst "wait_event = 'PgSleep'"
#   interrupt INT                         # status, stdout, stderr, and the milliseconds it took
#   run_record "$TAP_DIR/state.db"        # outcome|exit_code of the newest run
#
# Nothing here sleeps for a fixed time: tests wait for what they need to see.

# What scripts read, and functions that wait_until is given.
# shellcheck disable=SC2034,SC2317,SC2329
RUN_PID=
RUN_TOOK_MS=
# How long a run may take to end once it was told to, and its sessions to go.
CANCEL_LIMIT_MS=${RAPIDBYTE_TEST_CANCEL_MS:-2000}
# How long anything else may take, on a machine that does other things, too.
PATIENCE_S=${RAPIDBYTE_TEST_PATIENCE_S:-30}

now_ms() {
    printf '%s' "$((${EPOCHREALTIME/./} / 1000))"
}

# launch <command words>: a script's background jobs ignore SIGINT, which a terminal's don't.
launch() {
    env --default-signal=INT,TERM,HUP "$@" >"$TAP_STDOUT" 2>"$TAP_STDERR" </dev/null &
    RUN_PID=$!
    at_exit kill -KILL "$RUN_PID"
}

# is_gone <pid>: it has ended, whether or not its parent has noticed.
is_gone() {
    ! kill -0 "$1" 2>/dev/null || grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null
}

# finish: waits until what was launched has ended; status, stdout, stderr as after run.
finish() {
    if ! wait_until "$PATIENCE_S" is_gone "$RUN_PID"; then
        diag "process $RUN_PID does not end: killed"
        kill -KILL "$RUN_PID"
    fi
    wait "$RUN_PID"
    status=$?
    stdout=$(<"$TAP_STDOUT")
    stderr=$(<"$TAP_STDERR")
}

# interrupt <signal>: sends it, and waits for the end.
interrupt() {
    local start
    start=$(now_ms)
    kill "-$1" "$RUN_PID"
    while ! is_gone "$RUN_PID" && (($(now_ms) - start < PATIENCE_S * 1000)); do
        sleep 0.01
    done
    RUN_TOOK_MS=$(($(now_ms) - start))
    finish
}

# worker_of <pid>: its worker process; fails when it has none.
worker_of() {
    local child
    for child in $(<"/proc/$1/task/$1/children"); do
        grep -qz '^worker$' "/proc/$child/cmdline" && printf '%s' "$child" && return 0
    done 2>/dev/null
    return 1
}

# session <database> [<condition on pg_stat_activity>]: a session of rapidbyte's is like that.
session() {
    [[ $(pg_sql "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name LIKE 'rapidbyte%'
        AND datname = '$1' AND (${2:-true})") == t ]]
}

no_sessions() {
    ! session src && ! session dst
}

# end_session <database> [<condition>]: the server ends such a session; fails when there is none.
end_session() {
    [[ $(pg_sql "SELECT count(*) > 0 FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name LIKE 'rapidbyte%' AND datname = '$1' AND (${2:-true}) LIMIT 1) t") == t ]]
}

# end_sessions <database>: all of ours at once, the owner of the snapshot first: between two statements a stream could still
# be read under it.
end_sessions() {
    pg_sql "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity
        WHERE application_name LIKE 'rapidbyte%' AND datname = '$1'
        ORDER BY state = 'idle in transaction' DESC) t" >/dev/null
}

# leftovers: staging and temporary tables at the destination.
leftovers() {
    dst_sql "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND (relpersistence = 't'
        OR (relnamespace = to_regnamespace('_rapidbyte') AND relname ~ '^s_'))"
}

# state_sql <file> <SQL>: rows of the state, columns separated by |.
state_sql() {
    python3 -c '
import sqlite3, sys
for row in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]):
    print("|".join("" if value is None else str(value) for value in row))' "$1" "$2"
}

run_record() {
    state_sql "$1" "SELECT outcome, exit_code FROM runs ORDER BY id DESC LIMIT 1"
}

# report <expression>: of `report`, the JSON that `run --output json` wrote to stdout.
report() {
    python3 -c '
import json, sys
report = json.loads(sys.argv[1])
print(eval(sys.argv[2]))' "$stdout" "$1"
}

# fresh: nothing at the destination, no state.
fresh() {
    dst_sql 'DROP SCHEMA IF EXISTS raw CASCADE; DROP SCHEMA IF EXISTS _rapidbyte CASCADE' 2>/dev/null
    rm -f "$TAP_DIR"/*.db*
}

# hold_state: a process, STATE_HOLDER, that has state.db locked to be written.
hold_state() {
    python3 -c 'import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
time.sleep(600)' "$TAP_DIR/state.db" >"$TAP_DIR/held" &
    STATE_HOLDER=$!
    at_exit kill "$STATE_HOLDER"
}

state_is_held() { [[ -s $TAP_DIR/held ]]; }

# A gate stops statements in one database where they call gate(): close_gate, run something,
# wait_until … at_gate, do what the test is about, open_gate.
#
#   make_gate src            # the function public.gate(integer): true; stops at id 20000
#   where: public.gate(id)        # in a stream, so that its COPY stops in the middle
#   gate_trigger raw.t       # at the destination: before the row with id 20000 is inserted
make_gate() {
    PG_DATABASE=$1 pg_sql "CREATE OR REPLACE FUNCTION public.gate(integer) RETURNS boolean LANGUAGE plpgsql AS \$\$
        BEGIN
            IF \$1 = 20000 THEN
                PERFORM pg_advisory_lock_shared(42);
                PERFORM pg_advisory_unlock_shared(42);
            END IF;
            RETURN true;
        END \$\$"
}

# gate_trigger <table> [<type and event>]
gate_trigger() {
    make_gate dst
    dst_sql "CREATE OR REPLACE FUNCTION public.gate_row() RETURNS trigger LANGUAGE plpgsql AS \$\$
        BEGIN PERFORM public.gate(NEW.id); RETURN NEW; END \$\$;
        CREATE ${2:-TRIGGER gate BEFORE INSERT} ON $1 ${3:-} FOR EACH ROW EXECUTE FUNCTION public.gate_row()"
}

holds_gate() {
    [[ $(PG_DATABASE=$1 pg_sql "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
        WHERE locktype = 'advisory' AND granted AND application_name = 'gate' AND datname = current_database()") == 1 ]]
}

close_gate() {
    PGAPPNAME=gate PG_DATABASE=$1 pg_sql 'SELECT pg_advisory_lock(42); SELECT pg_sleep(600)' >/dev/null 2>&1 &
    wait_until "$PATIENCE_S" holds_gate "$1" || bail "the gate in $1 does not close"
}

open_gate() {
    pg_sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'gate' AND datname = '$1'" >/dev/null
    wait_until "$PATIENCE_S" gate_is_open "$1"
}

gate_is_open() { ! holds_gate "$1"; }

at_gate() {
    session "$1" "wait_event = 'advisory'"
}

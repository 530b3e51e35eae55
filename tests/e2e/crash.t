#!/bin/bash
# Processes and sessions that are killed, servers that stop: what was half-done is not visible, it is
# said what happened, and another run makes it exact, every row once.
# shellcheck disable=SC2317,SC2329 # functions that wait_until is given
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
. "$ROOT/tests/lib/faults.sh"
pg_start main || bail "no PostgreSQL"
databases
src_sql "CREATE TABLE t (id integer PRIMARY KEY, pad text);
    INSERT INTO t SELECT g, repeat(md5(g::text), 32) FROM generate_series(1, 30000) g;
    CREATE TABLE u AS SELECT id, md5(pad) AS pad FROM t;
    CREATE TABLE v AS SELECT id, md5(pad) AS pad FROM t"
make_gate src
p=$TAP_DIR/p.yaml
db=$TAP_DIR/state.db

# stop_at <src|dst>: a run that has stopped in the middle of its COPY.
stop_at() {
    close_gate "$1"
    launch "$RAPIDBYTE" run "$p" --output json
    wait_until "$PATIENCE_S" at_gate "$1" || { diag "$(<"$TAP_STDERR")"; bail "the run does not come to the gate"; }
    worker=$(worker_of "$RUN_PID")
}

# again <name>: another run of the same document.
again() {
    run_is 0 "$1: the next run" "$RAPIDBYTE" run "$p" --output json
}

# A worker that is killed takes along what it was reading, and nothing else.
STREAMS='- { name: u }
- { name: t, where: public.gate(id) }
- { name: v }' pipeline "$p"
fresh
stop_at src
kill -KILL "$worker"
open_gate src
finish
is "$status" 8 "worker killed: exit code" || diag "$stderr"
like "$stderr" "connector.* crashed: .*signal 9" "worker killed: says so"
is "$(report '[s["outcome"] for s in report["streams"]]')" "['ok', 'failed', 'ok']" "worker killed: another takes the streams that are left"
is "$(run_record "$db")" "partial|8" "worker killed: recorded"
is "$(dst_sql "SELECT to_regclass('raw.t') IS NULL")" t "worker killed: nothing of the stream is visible"
again "worker killed"
is "$(report '[s["outcome"] for s in report["streams"]]')" "['already_loaded', 'ok', 'already_loaded']" "worker killed: the next run loads the one that is missing"
for table in t u v; do same "$table" "worker killed, resumed: $table"; done
run_is 0 "the load has ended" "$RAPIDBYTE" run "$p" --streams u
is "$(dst_sql 'SELECT count(*) FROM raw.u')" 60000 "the run after it is a new load, which appends"

STREAMS='- { name: t, where: public.gate(id) }' pipeline "$p"
fresh
stop_at src
kill -KILL "$worker"
open_gate src
finish
is "$status" 6 "worker killed, one stream: exit code"

# A supervisor that is killed, twice: the worker goes with it, and its lock is taken over at once.
STREAMS='- { name: u }
- { name: t, where: public.gate(id) }' pipeline "$p"
fresh
for turn in 1 2; do
    stop_at src
    kill -KILL "$RUN_PID"
    ok "supervisor killed, $turn: the worker ends by itself" wait_until 1 is_gone "$worker"
    open_gate src
    finish
    is "$(state_sql "$db" 'SELECT count(*) FROM runs WHERE outcome IS NULL')" 1 "supervisor killed, $turn: its run is open"
done
again "supervisor killed"
is "$(report '[s["outcome"] for s in report["streams"]]')" "['already_loaded', 'ok']" "supervisor killed: what the first run appended is not appended again"
like "$stderr" "recorded as crashed" "supervisor killed: the crash is noted"
is "$(state_sql "$db" 'SELECT outcome FROM runs ORDER BY id' | paste -sd ' ')" "crashed crashed ok" "supervisor killed: recorded"
same u "supervisor killed: the stream that was loaded is not doubled"
same t "supervisor killed: the other one is exact"

# A query that sends nothing, and whose supervisor and worker are gone.
fresh
STREAMS='- { name: t, where: id > 0 AND pg_sleep(40) IS NULL }' pipeline "$p"
launch "$RAPIDBYTE" run "$p"
wait_until "$PATIENCE_S" session src "wait_event = 'PgSleep'" || bail "the query does not begin"
kill -KILL "$RUN_PID"
ok "supervisor killed: its query at the source ends, too" wait_until 4 no_sessions
finish

# Lost while COMMIT runs: whether the old server process gets it done or the new run does, once.
fresh
dst_sql 'CREATE SCHEMA raw; CREATE TABLE raw.t (id integer PRIMARY KEY, pad text)'
dst_sql 'ALTER TABLE raw.t DROP CONSTRAINT t_pkey'
gate_trigger raw.t 'CONSTRAINT TRIGGER gate AFTER INSERT' 'DEFERRABLE INITIALLY DEFERRED'
STREAMS='- { name: t }' pipeline "$p"
stop_at dst
stopped=("$RUN_PID" "$worker")
at_exit kill -KILL "${stopped[@]}"
kill -STOP "${stopped[@]}" # their connections stay: a server that finds them gone would give up
end_session dst "state = 'idle'" || bail "nobody has the pipeline's lock"
# The old one has the file's lock; what a run on another machine has is a copy of it.
cp "$TAP_DIR"/state.db "$TAP_DIR"/second.db
STATE=second STREAMS='- { name: t }' pipeline "$TAP_DIR/second.yaml"
committing=$(pg_sql "SELECT pid FROM pg_stat_activity WHERE datname = 'dst' AND wait_event = 'advisory'")
launch "$RAPIDBYTE" run "$TAP_DIR/second.yaml" --output json
ended() { [[ $(pg_sql "SELECT count(*) FROM pg_stat_activity WHERE pid = $committing") == 0 ]]; }
ok "lost during COMMIT: the next run ends the old session" wait_until "$PATIENCE_S" ended
open_gate dst
finish
is "$status" 0 "lost during COMMIT: the next run" || diag "$stderr"
same t "lost during COMMIT: every row once"
kill -KILL "${stopped[@]}"
wait_until "$PATIENCE_S" no_sessions

# Units of a divided stream: staging is left, the old table is what shows, and the next run cleans up.
fresh
STREAMS='- { name: t, where: public.gate(id) }' EXTRA='resources: { parallelism: 2 }' write_mode=replace pipeline "$p"
run_is 0 "divided" "$RAPIDBYTE" run "$p"
before=$(content dst_sql raw.t)
src_sql "UPDATE t SET pad = 'changed' WHERE id % 3 = 0"
stop_at src
has_staging() { [[ $(leftovers) -gt 0 ]]; } # made when the first batch comes, which may be after the gate is reached
ok "divided, supervisor killed: there is staging" wait_until "$PATIENCE_S" has_staging || diag "it was not divided"
kill -KILL "$RUN_PID"
wait_until 5 is_gone "$worker"
open_gate src
finish
is "$(content dst_sql raw.t)" "$before" "divided, supervisor killed: the old rows are visible"
again "divided, supervisor killed"
same t "divided, supervisor killed: exact"
is "$(leftovers)" 0 "divided, supervisor killed: the staging is gone"

# Sessions that the server ends in the middle of a COPY.
waits_for_gate="wait_event = 'advisory'"
for side in src dst; do
    what="$side session ended"
    code=3
    [[ $side == src ]] || code=4
    for retries in 0 3; do
        fresh
        STREAMS='- { name: t, where: public.gate(id) }'
        if [[ $side == dst ]]; then
            STREAMS='- { name: t }'
            dst_sql 'CREATE SCHEMA raw; CREATE TABLE raw.t (id integer, pad text)'
            gate_trigger raw.t
        fi
        EXTRA="resources: { max_retries: $retries }" pipeline "$p"
        stop_at "$side"
        ok "$what, max_retries $retries" end_session "$side" "$waits_for_gate"
        open_gate "$side"
        finish
        if [[ $retries == 0 ]]; then
            is "$status" "$code" "$what: exit code without retries" || diag "$stderr"
            like "$stderr" "terminating connection due to administrator command" "$what: the server's word"
            is "$(dst_sql "SELECT coalesce((xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %s', to_regclass('raw.t')), true, true, '')))[1]::text, '0') WHERE to_regclass('raw.t') IS NOT NULL")" \
                "$([[ $side == dst ]] && echo 0)" "$what: nothing is visible"
            again "$what"
        else
            is "$status" 0 "$what: retried" || diag "$stderr"
            is "$(report 'report["streams"][0]["attempts"]')" 2 "$what: at the second attempt"
        fi
        same t "$what, max_retries $retries: exact"
    done
done

# The snapshot's owner and its reader are gone: what is left is read under a new snapshot.
fresh
STREAMS='- { name: t, where: public.gate(id) }
- { name: u }' EXTRA='' pipeline "$p"
stop_at src
src_sql "INSERT INTO u VALUES (30001, 'late')"
end_sessions src
open_gate src
finish
is "$status" 0 "snapshot lost: exit code" || diag "$stderr"
like "$stderr" "snapshot is gone" "snapshot lost: says so"
same t "snapshot lost: the stream under way"
same u "snapshot lost: the next one, read under a new snapshot"

# A table that is not locked yet vanishes before it is read; the snapshot's owner is gone, too.
fresh
STREAMS='- { name: t, where: public.gate(id) }
- { name: u }' pipeline "$p"
stop_at src
ok "snapshot's owner ended" end_session src "state = 'idle in transaction'"
src_sql 'ALTER TABLE u RENAME TO w'
open_gate src
finish
is "$status" 8 "a table that vanished: exit code" || diag "$stderr"
like "$stderr" "\"?u\"? " "a table that vanished is named"
same t "a table that vanished: the other stream is exact"
src_sql 'ALTER TABLE w RENAME TO u'
again "a table that vanished"
same u "a table that vanished: back again, and loaded"
same t "a table that vanished: the other stream is not doubled"

# The server of both sides crashes, and comes back.
STREAMS='- { name: t, where: public.gate(id) }
- { name: u }'
for retries in 0 10; do
    fresh
    EXTRA="resources: { max_retries: $retries }" pipeline "$p"
    stop_at src
    pg_halt immediate
    pg_boot || bail "the server does not start again"
    finish
    if [[ $retries == 0 ]]; then
        isnt "$status" 0 "server crashed: the run has failed"
        like "$stderr" "^error: stream 't': (the server closed the connection unexpectedly|terminating connection due to)" "server crashed: the stream under way says so"
        unlike "$stderr" 'snapshot.*does not exist' "server crashed: the cause and not a snapshot that is not there"
        is "$(run_record "$db" | cut -d '|' -f 1)" "failed" "server crashed: recorded"
        is "$(dst_sql "SELECT to_regclass('raw.t') IS NULL")" t "server crashed: nothing is visible"
        again "server crashed"
    else
        is "$status" 0 "server crashed, with retries" || diag "$stderr"
    fi
    same t "server crashed, max_retries $retries: t"
    same u "server crashed, max_retries $retries: u"
done
done_testing

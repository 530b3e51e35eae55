#!/bin/bash
# The operating system's sandbox around worker and compiler: on unless told otherwise, said by check,
# and in the way of nothing that a run needs (every other test runs in it).
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
export PG_CANARY=zCanaryOfTheEnvironment
pg_start main || bail "no PostgreSQL"
databases
src_sql 'CREATE TABLE t AS SELECT i AS id FROM generate_series(1, 10) AS i'
src_sql 'CREATE VIEW slow AS SELECT 1 AS id FROM pg_sleep(60)'
p=$TAP_DIR/p.yaml

STREAMS='- { name: t }' pipeline "$p"
sed -i 's/127\.0\.0\.1/localhost/' "$p"
run_is 0 "check" "$RAPIDBYTE" check "$p"
like "$stdout" "^(ok|warning) +sandbox: the worker is limited in system calls by seccomp" "check says what the kernel limits"
run_is 0 "run, with names to resolve" "$RAPIDBYTE" run "$p"
same t "run: rows arrive"
unlike "$stderr" "does not limit" "run: nothing is said of a sandbox that is on"
run_is 0 "--no-os-sandbox" "$RAPIDBYTE" run "$p" --no-os-sandbox
like "$stderr" "^note: the operating system does not limit the worker \(--no-os-sandbox\)" "--no-os-sandbox: says so"
run_is 0 "--no-os-sandbox: check" "$RAPIDBYTE" check "$p" --no-os-sandbox
like "$stdout" "^warning +sandbox: the operating system does not limit the worker" "--no-os-sandbox: check warns"

# A Unix socket is granted by its folder.
STREAMS='- { name: t }' pipeline "$p"
sed -i "s#host: 127.0.0.1#host: $PG_SOCKET#" "$p"
run_is 0 "through Unix sockets" "$RAPIDBYTE" run "$p"

# start: a run whose worker sits in a query; sets worker.
start() {
    STREAMS='- { name: slow }' pipeline "$p"
    "$RAPIDBYTE" run "$p" "$@" >"$TAP_DIR/out" 2>"$TAP_DIR/err" &
    pid=$!
    wait_until 20 src_sql "SELECT 1 / count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'" || fail "the run gets to its query"
    read -r worker _ <"/proc/$pid/task/$pid/children"
}

start
like "$(<"/proc/$worker/status")" $'^NoNewPrivs:\t1' "the worker: no_new_privs"
like "$(<"/proc/$worker/status")" $'^Seccomp:\t2' "the worker: seccomp"
ok "the canary is where one looks for it" grep -q zCanary "/proc/$pid/environ"
not_ok "the worker's environment is without the operator's variables" grep -q zCanary "/proc/$worker/environ"
# What a forbidden system call ends in.
kill -SYS "$worker"
wait "$pid"
is "$?" 6 "a forbidden system call: exit code"
like "$(<"$TAP_DIR/err")" "made a system call that the sandbox forbids" "a forbidden system call: what is said"
start --no-os-sandbox
like "$(<"/proc/$worker/status")" $'^Seccomp:\t0' "--no-os-sandbox: no seccomp"
kill -INT "$pid"
wait "$pid"

# The compiler.
mkdir "$TAP_DIR/connectors"
cp "$BUILD"/connectors/dest_count.* "$TAP_DIR/connectors"
run_is 0 "compile" "$RAPIDBYTE" compile --connectors "$TAP_DIR/connectors" --aot-dir "$TAP_DIR/aot"
like "$stdout" "^compiled +.*/dest_count.wasm" "compile: what is in the folders"
run_is 0 "compile: a path" "$RAPIDBYTE" compile --aot-dir "$TAP_DIR/aot" "$TAP_DIR/connectors/dest_count.wasm"
like "$stdout" "^cached " "compile: a path"
done_testing

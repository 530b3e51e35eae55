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
    (ulimit -S -c "$(ulimit -H -c)" && exec "$RAPIDBYTE" run "$p" "$@") >"$TAP_DIR/out" 2>"$TAP_DIR/err" &
    pid=$!
    wait_until 20 src_sql "SELECT 1 / count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'" || fail "the run gets to its query"
    read -r worker _ <"/proc/$pid/task/$pid/children"
}

start
like "$(<"/proc/$worker/status")" $'^NoNewPrivs:\t1' "the worker: no_new_privs"
like "$(<"/proc/$worker/status")" $'^Seccomp:\t2' "the worker: seccomp"
like "$(<"/proc/$worker/limits")" 'Max core file size +0 +0 ' "the worker: no core"
like "$(<"/proc/$pid/limits")" 'Max core file size +0 +0 ' "the supervisor: no core"
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

# It sits in its sandbox before it reads a module: this one is a pipe that nobody writes to.
mkfifo "$TAP_DIR/slow.wasm"
"$RAPIDBYTE" compile --aot-dir "$TAP_DIR/aot" "$TAP_DIR/slow.wasm" >"$TAP_DIR/out" 2>"$TAP_DIR/err" &
pid=$!
ok "compile: seccomp" wait_until 10 grep -q $'^Seccomp:\t2' "/proc/$pid/status"
like "$(<"/proc/$pid/status")" $'^NoNewPrivs:\t1' "compile: no_new_privs"
kill "$pid"
wait "$pid"

# Folders: what manifest and document both grant, and no way out of it.
export RAPIDBYTE_CONNECTOR_DIR=$BUILD/connectors:$BUILD/test-connectors
mkdir "$TAP_DIR/in" "$TAP_DIR/given" "$TAP_DIR/files"
printf 'hello\n' | tee "$TAP_DIR/in/hello" "$TAP_DIR/secret" "$TAP_DIR/files/secret" >/dev/null
ln -s ../secret "$TAP_DIR/in/link"
ln -s "$TAP_DIR/secret" "$TAP_DIR/in/absolute"
# files <folders>
files() {
    cat >"$p" <<YAML
version: "1.0"
pipeline: files
source:
  use: files-source
  config: {}
  streams: [plain]
  permissions: { folders: { $1 } }
destination: { use: plain-dest, config: {} }
state: { backend: sqlite, connection: files/state.db }
YAML
}
files '/in: in, /out: { path: given, write: true }'
run_is 0 "folders" "$RAPIDBYTE" run "$p"
is "$(sed -n 's/^.*: \(\(read\|write\|rename\|remove\) .*: done\)$/\1/p' <<<"$stderr" | sort | tr '\n' ',')" \
    "read /in/hello: done,write /out/made: done," "folders: what is granted can be done, and nothing else"
is "$(grep -cE '(read|write|rename|remove) /' <<<"$stderr")" 14 "folders: all of it was tried"
is "$(<"$TAP_DIR/in/hello")" hello "folders: what may be read is not written"
not_ok "folders: nothing is written outside" test -e "$TAP_DIR/escaped"
ok "folders: nothing is removed outside" test -e "$TAP_DIR/secret"
ok "folders: what may be written is" test -e "$TAP_DIR/given/made"
files '/in: files'
run_is 2 "folders: one that holds the state" "$RAPIDBYTE" run "$p"
like "$stderr" "files holds the pipeline's state" "folders: one that holds the state is named"
mkdir "$TAP_DIR/given/cache"
files '/out: { path: given, write: true }'
run_is 2 "folders: one that holds compiled code" "$RAPIDBYTE" run "$p" --aot-dir "$TAP_DIR/given/cache"
like "$stderr" "given holds the cache of compiled connectors" "folders: one that holds compiled code is named"
done_testing

#!/bin/bash
# Connectors that misbehave: one clear message and exit code 6, nothing visible at the destination,
# the run recorded as failed.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pg_start main || bail "no PostgreSQL"
databases
mkdir "$TAP_DIR/bad"
export RAPIDBYTE_CONNECTOR_DIR=$TAP_DIR/bad:$BUILD/connectors:$BUILD/test-connectors
p=$TAP_DIR/p.yaml

# document <source> [<further lines>]
document() {
    cat >"$p" <<YAML
version: "1.0"
pipeline: misbehave
source:
  use: $1
  config: {}
  streams: [plain]
destination:
  use: dest-postgres
  config: { host: 127.0.0.1, port: $PG_PORT, user: postgres, password: postgres, database: dst, schema: raw, load_method: copy }
  write_mode: append
state: { backend: sqlite, connection: ./state.db }
${2:-}
YAML
}

# outcome: of the newest run in the state.
outcome() {
    python3 -c 'import sqlite3, sys
print("%s|%s" % sqlite3.connect(sys.argv[1]).execute("SELECT outcome, exit_code FROM runs ORDER BY id DESC LIMIT 1").fetchone())' "$TAP_DIR/state.db"
}

# nothing_visible <name>: no table, and no session that still holds a transaction open.
nothing_visible() {
    is "$(dst_sql "SELECT to_regclass('raw.plain') IS NULL")" t "$1: nothing is visible"
    ok "$1: no transaction is left" wait_until 5 test "$(dst_sql "SELECT count(*) FROM pg_stat_activity WHERE datname = 'dst' AND state LIKE 'idle in%' AND pid <> pg_backend_pid()")" = 0
}

# misbehaves <source> <what is said> <name> [<further lines>]
misbehaves() {
    document "$1" "${4:-}"
    run_is 6 "$3: exit code" "$RAPIDBYTE" run "$p"
    like "$stderr" "$2" "$3: what is said"
    is "$(grep -c '^error:' <<<"$stderr")" 1 "$3: one error" || diag "$stderr"
    nothing_visible "$3"
    is "$(outcome)" "failed|6" "$3: the run is recorded"
}

# broken <name> <command that writes the module>: a connector in $TAP_DIR/bad with a manifest of its own.
broken() {
    local name=$1
    shift
    "$@" >"$TAP_DIR/bad/$name.wasm"
    python3 tools/stamp-manifest tests/guests/plain_source.manifest.json "$TAP_DIR/bad/$name.wasm" "$TAP_DIR/bad/$name.manifest.json"
}
broken not_wasm printf 'this is not WebAssembly\n'
broken empty printf ''
broken cut head -c 2000 "$BUILD/test-connectors/plain_source.wasm"
# refused <source> <what is said> <name>: before a run begins, by run and by check.
refused() {
    document "$1"
    run_is 6 "$3: exit code" "$RAPIDBYTE" run "$p"
    like "$stderr" "$2" "$3: what is said"
    nothing_visible "$3"
    run_is 6 "$3: check" "$RAPIDBYTE" check "$p"
    like "$stdout$stderr" "$2" "$3: check says so, too"
}
refused not-wasm "not_wasm.wasm.*not (a )?WebAssembly" "not WebAssembly"
refused empty "empty.wasm.*not (a )?WebAssembly" "an empty file"
refused cut "cut" "half a module"
refused bad-import "rb_host_format_disk" "an import that isn't ours"

misbehaves trap "connector 'trap'.*rb_run_read.*(trap|unreachable)" "a trap"
misbehaves recurse "connector 'recurse'" "endless recursion"
misbehaves recurse "connector" "endless recursion, again"

# A command that puts the peak resident kilobytes of its processes into $TAP_DIR/peak.
with_peak=(python3 -c 'import resource, subprocess, sys
code = subprocess.run(sys.argv[2:]).returncode
open(sys.argv[1], "w").write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(code)' "$TAP_DIR/peak")

# One that never ends its catalogue.
document loop
run_is 6 "a catalogue without end: exit code" "$RAPIDBYTE" discover "$p"
like "$stderr" "says that there are more streams, and names none" "a catalogue without end: what is said"

# Memory: the guest is refused what is over the limit, and says so itself; the process stays small.
document hog "resources: { max_memory: 64mb }"
run_is 3 "a memory hog" "${with_peak[@]}" "$RAPIDBYTE" run "$p"
like "$stderr" "refused after [0-9]+ pages" "a memory hog: refused"
cmp_ok "$(sed -n 's/.*refused after \([0-9]*\) pages.*/\1/p' <<<"$stderr" | head -n 1)" -le 1024 "a memory hog: got at most max_memory"
cmp_ok "$(<"$TAP_DIR/peak")" -lt 400000 "a memory hog: the process stays below 400 MB"
is "$(outcome)" "failed|3" "a memory hog: the run is recorded"
nothing_visible "a memory hog"

# One that wants more from the start, 16,384 pages, is not let in.
# The module with another minimum in its memory section.
cat >"$TAP_DIR/with_pages.py" <<'PY'
import sys
def leb(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])
def read(data, at):
    n = shift = 0
    while True:
        n |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return n, at
data = open(sys.argv[1], "rb").read()
out, at = data[:8], 8
while at < len(data):
    kind = data[at]
    size, body = read(data, at + 1)
    content = data[body:body + size]
    if kind == 5:
        assert content[:2] == b"\x01\x00", content
        content = content[:2] + leb(int(sys.argv[2]))
    out += bytes([kind]) + leb(len(content)) + content
    at = body + size
sys.stdout.buffer.write(out)
PY
broken vast python3 "$TAP_DIR/with_pages.py" "$BUILD/test-connectors/plain_source.wasm" 16384
misbehaves vast "(memory|pages)" "too much memory from the start" "resources: { max_memory: 64mb }"

# Every import answers a bad pointer with BAD_POINTER, and the worker goes on.
document bad-pointer
run "$RAPIDBYTE" run "$p"
unlike "$stderr" "NOT_REFUSED|crash|signal" "bad pointers: each is refused"
like "$stderr" "ended without a batch" "bad pointers: a source that then sends nothing fails"
isnt "$status" 0 "bad pointers: exit code"
nothing_visible "bad pointers"

# A loop ends by the operator's limit, or by a signal, in time.
document loop "timeouts: { run: 1s }"
start=$SECONDS
run_is 130 "an endless loop: timeouts.run" "$RAPIDBYTE" run "$p"
cmp_ok "$((SECONDS - start))" -le 5 "an endless loop: timeouts.run: in time"
like "$stderr" "run" "an endless loop: timeouts.run: says so"
nothing_visible "an endless loop: timeouts.run"
document loop
(ulimit -S -c "$(ulimit -H -c)" && exec "$RAPIDBYTE" run "$p") >"$TAP_DIR/out" 2>"$TAP_DIR/err" &
pid=$!
ok "an endless loop: it runs" wait_until 10 dst_sql "SELECT 1 / count(*) FROM pg_stat_activity WHERE datname = 'dst' AND application_name LIKE 'rapidbyte%'"
sleep 0.3
read -r worker _ <"/proc/$pid/task/$pid/children"
ok "an endless loop: it has a worker" test -d "/proc/$worker"
like "$(<"/proc/$worker/limits")" 'Max core file size +0 +0 ' "a worker that crashes leaves no core with the operator's passwords"
start=$(date +%s%N)
kill -INT "$pid"
wait "$pid"
is "$?" 130 "an endless loop: SIGINT"
cmp_ok "$((($(date +%s%N) - start) / 1000000))" -lt 2000 "an endless loop: SIGINT: in less than two seconds"
is "$(outcome)" "cancelled|130" "an endless loop: the run is recorded"
nothing_visible "an endless loop: SIGINT"
not_ok "an endless loop: the worker is gone" test -d "/proc/$worker"

# A connector that takes the worker with it does not stop the other streams.
src_sql 'CREATE TABLE good (id integer PRIMARY KEY); INSERT INTO good VALUES (1), (2); CREATE TABLE plain (id integer)
    ; CREATE TABLE later AS SELECT * FROM good; CREATE TABLE again AS SELECT * FROM good'
# crashing <pipeline> <streams>
crashing() {
    cat >"$p" <<YAML
version: "1.0"
pipeline: $1
source:
  use: source-postgres
  config: { host: 127.0.0.1, port: $PG_PORT, user: postgres, password: postgres, database: src, schema: public }
  streams: $2
destination:
  use: dest-postgres
  config: { host: 127.0.0.1, port: $PG_PORT, user: postgres, password: postgres, database: dst, schema: raw, load_method: copy }
  write_mode: replace
transforms:
  - { use: crash-transform }
state: { backend: sqlite, connection: ./state.db }
YAML
}
crashing misbehave "[plain, good]"
run_is 8 "a crash at one stream" "$RAPIDBYTE" run "$p"
like "$stderr" "stream 'plain'" "a crash at one stream: it is named"
is "$(dst_sql 'SELECT count(*) FROM raw.good')" 2 "a crash at one stream: the other arrives"
nothing_visible "a crash at one stream"
is "$(outcome)" "partial|8" "a crash at one stream: the run is recorded"

# … nor one that waits for its next attempt at that moment.
crashing retried "[later, plain]"
run_is 8 "a crash while another stream waits" "$RAPIDBYTE" run "$p" --output json
is "$(python3 -c 'import json, sys; print([(s["outcome"], s["attempts"]) for s in json.load(sys.stdin)["streams"]])' <<<"$stdout")" \
    "[('ok', 2), ('failed', 1)]" "a crash while another stream waits: that one has its attempt"
is "$(dst_sql 'SELECT count(*) FROM raw.later')" 2 "a crash while another stream waits: it arrives"

like "$stderr" "note: stream 'later': attempt 1 failed" "what a connector says, in a note"
unlike "$stderr" $'\x1b' "what a connector says does not steer the terminal"

# A worker that crashes before it comes to a stream would do so for ever.
crashing crash_at_open "[again, good]"
run_is 6 "a crash at each start" timeout 20 "$RAPIDBYTE" run "$p"
like "$stderr" "stream 'again': connector 'crash-transform' crashed" "a crash at each start: what is said"
is "$(outcome)" "failed|6" "a crash at each start: the run is recorded"
done_testing

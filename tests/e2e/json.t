#!/bin/bash
# --output json: standard output is one document, whatever comes of the command.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
. "$ROOT/tests/lib/faults.sh"
pg_start main || bail "no PostgreSQL"
databases
src_sql "CREATE TABLE t (id integer PRIMARY KEY, at timestamptz); INSERT INTO t SELECT g, now() FROM generate_series(1, 100) g;
    CREATE VIEW slow AS SELECT id, pg_sleep(600)::text AS nap FROM t"
STREAMS='- { name: t }'
p=$TAP_DIR/p.yaml
pipeline "$p"
bad=$TAP_DIR/bad.yaml
sed 's/write_mode: append/write_mode: apend\n  nonsense: 1/' "$p" >"$bad"
printf 'pipeline: [\n' >"$TAP_DIR/broken.yaml"

# one <name> <exit code> <python expression over d>: of the answer that was just given.
one() {
    is "$status" "$2" "$1: exit code" || diag "$stderr"
    is "$(python3 -c 'import json, sys
text = sys.stdin.read()
d = json.loads(text)
assert text.count("\n") == 1, text
print(eval(sys.argv[1]))' "$3" <"$TAP_STDOUT" 2>&1)" True "$1: one document" || diag "$(<"$TAP_STDOUT")"
}
FAULT='d["exit_code"] == d["fault"]["exit_code"] > 0 and len(d["fault"]["error"]["message"]) > 0'

# The command line.
for command in run check verify discover "state show" "state reset" "state set-cursor" "state import" history "history show" cancel connectors \
    "connectors verify" compile version; do
    # shellcheck disable=SC2086
    run "$RAPIDBYTE" $command --nonsense --output json
    one "$command, an unknown option" 2 "$FAULT and d['command'] == '$command' and '--nonsense' in d['fault']['error']['message']"
done
run "$RAPIDBYTE" run -o json
one "no operand" 2 "$FAULT and d['streams'] == [] and d['mistakes'] == []"
run "$RAPIDBYTE" run --output=json --log-level loud "$p"
one "a level that is none" 2 "$FAULT"
run "$RAPIDBYTE" runn -ojson "$p"
one "an unknown command" 2 "$FAULT and \"did you mean 'run'\" in d['fault']['error']['message']"
run "$RAPIDBYTE" state shwo --out json "$p"
one "an unknown command of a command" 2 "$FAULT"
run "$RAPIDBYTE" run --output json --streams nonesuch "$p"
one "--streams that are not there" 2 "$FAULT and d['pipeline'] == 'test' and 'nonesuch' in d['fault']['error']['message']"

# The document.
for command in run check verify discover "state show" "state reset" cancel history; do
    # shellcheck disable=SC2086
    run "$RAPIDBYTE" $command -o json "$TAP_DIR/none.yaml"
    one "$command, no document" 2 "$FAULT and 'none.yaml' in d['fault']['error']['message'] + str(d['mistakes'])"
    # shellcheck disable=SC2086
    run "$RAPIDBYTE" $command -o json "$TAP_DIR/broken.yaml"
    one "$command, no YAML" 2 "$FAULT and d['mistakes'][0]['line'] > 0"
done
for command in run check verify discover "state reset"; do
    # shellcheck disable=SC2086
    run "$RAPIDBYTE" $command -o json "$bad"
    one "$command, mistakes in the document" 2 "$FAULT and len(d['mistakes']) == 2 and all(m['path'] and m['line'] and m['column'] and m['message'] for m in d['mistakes'])"
done
run "$RAPIDBYTE" state set-cursor -o json "$p" nonesuch 1
one "set-cursor, no such stream" 2 "$FAULT and d['changed'] == []"
run "$RAPIDBYTE" state import -o json "$p" "$TAP_DIR/none.json"
one "import, no file" 2 "$FAULT"
run "$RAPIDBYTE" history show -o json 7 "$p"
one "history show, no state" 7 "$FAULT and d['streams'] == []"
run "$RAPIDBYTE" state show -o json "$p"
one "state show, no state" 7 "$FAULT"
if [[ $(id -u) != 0 ]]; then
    install -m 000 "$p" "$TAP_DIR/closed.yaml"
    run "$RAPIDBYTE" run -o json "$TAP_DIR/closed.yaml"
    one "an unreadable document" 2 "$FAULT"
fi
run "$RAPIDBYTE" run -o json --aot-dir /proc/none "$p"
one "no folder for the cache" 1 "$FAULT"
run "$RAPIDBYTE" connectors verify -o json --aot-dir /proc/none
one "connectors verify, no folder for the cache" 6 "$FAULT and d['connectors'] == []"
run "$RAPIDBYTE" compile -o json nonesuch
one "compile, no such connector" 6 "$FAULT"
run "$RAPIDBYTE" connectors verify -o json nonesuch
one "connectors verify, no such connector" 6 "not d['connectors'][0]['ok']"

# Servers.
sed "s/port: $PG_PORT/port: 1/" "$p" >"$TAP_DIR/nobody.yaml"
for command in run check verify discover "state reset"; do
    # shellcheck disable=SC2086
    run "$RAPIDBYTE" $command -o json "$TAP_DIR/nobody.yaml"
    one "$command, no server" "$status" 'd["exit_code"] in (3, 4)'
done
run "$RAPIDBYTE" run -o json "$p"
one "run" 0 "d['exit_code'] == 0 and d['fault'] is None"
run "$RAPIDBYTE" history show -o json 7 "$p"
one "history show, no such run" 2 "$FAULT"

# A worker that crashes, a pipeline that is locked, signals.
STREAMS='- { name: slow }' pipeline "$p"
# started <name>: a run is under way at the server
started() {
    launch "$RAPIDBYTE" run -o json "$p"
    ok "$1: under way" wait_until "$PATIENCE_S" session src "wait_event = 'PgSleep'" || diag "$(<"$TAP_STDERR")"
}
started "run, SIGINT"
"$RAPIDBYTE" run -o json "$p" >"$TAP_DIR/locked" 2>/dev/null
locked=$?
interrupt INT
one "run, SIGINT" 130 "d['exit_code'] == 130 and d['streams'][0]['outcome'] in ('cancelled', 'failed')"
cp "$TAP_DIR/locked" "$TAP_STDOUT"
status=$locked
one "run, locked" 7 "$FAULT"
started "run, the worker crashes"
kill -KILL "$(worker_of "$RUN_PID")"
finish
one "run, the worker crashes" 6 "d['exit_code'] == 6 and 'crashed' in str(d)"

# A second signal, while somebody holds the state: nothing is left to be told but that.
started "run, a second signal"
hold_state
ok "run, a second signal: the state is locked" wait_until "$PATIENCE_S" state_is_held
kill -INT "$RUN_PID"
sleep 1.3
interrupt INT
one "run, a second signal" 130 "$FAULT and d['command'] == 'run' and d['pipeline'] == 'test' and d['streams'] == []"
kill "$STATE_HOLDER"

# A server that says nothing.
python3 -c 'import socket, sys, time
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
time.sleep(600)' >"$TAP_DIR/port" &
at_exit kill $!
ok "a server that says nothing" wait_until "$PATIENCE_S" test -s "$TAP_DIR/port"
sed "s/port: $PG_PORT/port: $(<"$TAP_DIR/port")/" "$p" >"$TAP_DIR/mute.yaml"
for command in run check verify discover "state reset"; do
    # shellcheck disable=SC2086
    launch "$RAPIDBYTE" $command -o json "$TAP_DIR/mute.yaml"
    ok "$command: under way" wait_until "$PATIENCE_S" worker_of "$RUN_PID"
    sleep 0.3
    interrupt TERM
    one "$command, SIGTERM" 130 'd["exit_code"] == 130'
done

# What has no worker ends at once.
launch "$RAPIDBYTE" compile -o json --aot-dir "$TAP_DIR/cold" source-postgres
sleep 0.2
interrupt TERM
one "compile, SIGTERM" 130 "$FAULT and d['command'] == 'compile'"
done_testing

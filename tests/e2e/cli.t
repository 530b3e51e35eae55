#!/bin/bash
# The command line: help, options, outputs and exit codes that need no server.
. "$(dirname "$0")/../lib/tap.sh"

run_is 0 "--help" "$RAPIDBYTE" --help
for command in run check verify discover state history cancel connectors compile version; do
    like "$stdout" "^  $command " "--help lists $command"
done
for command in run check verify discover state history cancel connectors compile version; do
    run_is 0 "$command --help" "$RAPIDBYTE" "$command" --help
    like "$stdout" "^usage: rapidbyte $command" "$command --help: usage"
    like "$stdout" "^example" "$command --help: examples"
done
for command in "state show" "state reset" "state set-cursor" "state export" "state import" "history show" "connectors verify"; do
    # shellcheck disable=SC2086
    run_is 0 "$command --help" "$RAPIDBYTE" $command --help
    like "$stdout" "^usage: rapidbyte $command" "$command --help: usage"
    like "$stdout" "^example" "$command --help: examples"
done
run_is 0 "help state reset" "$RAPIDBYTE" help state reset
like "$stdout" "^usage: rapidbyte state reset" "help state reset: usage"
run_is 2 "state without a command" "$RAPIDBYTE" state
like "$stderr" "^usage: rapidbyte state" "state without a command: usage"
run_is 2 "state: an unknown command" "$RAPIDBYTE" state shwo
like "$stderr" "unknown command 'state shwo'" "state: an unknown command is named"
run_is 2 "history show without a run" "$RAPIDBYTE" history show
like "$stderr" "which run" "history show without a run: says so"
run_is 2 "no command" "$RAPIDBYTE"
run_is 2 "an unknown command" "$RAPIDBYTE" runn
like "$stderr" "did you mean 'run'" "an unknown command: the nearest"
run_is 2 "an unknown option" "$RAPIDBYTE" run --nonsense p.yaml
like "$stderr" "unknown option '--nonsense'" "an unknown option is named"
run_is 2 "an option of another command" "$RAPIDBYTE" version --streams a
run_is 2 "no pipeline" "$RAPIDBYTE" run
like "$stderr" "which pipeline" "no pipeline: says so"
run_is 2 "two pipelines" "$RAPIDBYTE" run a.yaml b.yaml
run_is 2 "a level that is none" "$RAPIDBYTE" run --log-level loud p.yaml
run_is 2 "an output that is none" "$RAPIDBYTE" run --output xml p.yaml
run_is 2 "yaml is discover's alone" "$RAPIDBYTE" run --output yaml p.yaml
run_is 2 "a document that is not there" "$RAPIDBYTE" run "$TAP_DIR/none.yaml"
like "$stderr" "none.yaml" "a document that is not there is named"

run_is 0 "version" "$RAPIDBYTE" version
like "$stdout" '^rapidbyte [0-9]+\.[0-9]+\.[0-9]+ \(connector protocol 1\)$' "version: text"
run_is 0 "version --output json" "$RAPIDBYTE" version --output json
ok "version: JSON" python3 -c 'import json,sys; assert json.loads(sys.argv[1])["protocol_version"] == "1"' "$stdout"

# The README's pipeline, whose servers are nobody's: read without a mistake, it fails at the source alone.
sed -n '/^```yaml$/,/^```$/p' "$ROOT/README.md" | sed '1d;$d; s/host: localhost/host: 127.0.0.1/; s/port: 5432/port: 1/' >"$TAP_DIR/readme.yaml"
cmp_ok "$(wc -l <"$TAP_DIR/readme.yaml")" -gt 15 "the README has a pipeline"
run_is 3 "the README's pipeline has no mistake" env PGPASSWORD=x DW_PASSWORD=y "$RAPIDBYTE" check "$TAP_DIR/readme.yaml"

run_is 0 "connectors" "$RAPIDBYTE" connectors
like "$stdout" "^source-postgres +[0-9.]+ +source" "connectors: the source"
like "$stdout" "^dest-postgres +[0-9.]+ +destination" "connectors: the destination"
run_is 0 "connectors --output json" "$RAPIDBYTE" connectors --output json
ok "connectors: JSON" python3 -c 'import json,sys
ids = [c["id"] for c in json.loads(sys.argv[1])["connectors"]]
assert "source-postgres" in ids and "dest-postgres" in ids, ids' "$stdout"
# Without HOME (cron, containers) the home folder is the one that the system has of the user.
home=$(getent passwd "$(id -u)" | cut -d : -f 6)
if [[ -w $home ]]; then
    run_is 0 "no HOME" env -u HOME -u XDG_CACHE_HOME -u RAPIDBYTE_CACHE_DIR "$RAPIDBYTE" connectors verify source-postgres
    ok "no HOME: the cache is in the system's" test -d "$home/.cache/rapidbyte/aot"
fi
mkdir "$TAP_DIR/none"
run_is 0 "connectors: an empty folder" "$RAPIDBYTE" connectors --connectors "$TAP_DIR/none"
like "$stderr" "no connectors in" "connectors: an empty folder is said to be"

# Minutes on a machine that is busy with other things.
RUN_TIMEOUT_S=300
run_is 0 "compile one" "$RAPIDBYTE" compile --aot-dir "$TAP_DIR/aot" source-postgres
like "$stdout" "^compiled " "compile: compiled"
run_is 0 "compile it again" "$RAPIDBYTE" compile --aot-dir "$TAP_DIR/aot" source-postgres
like "$stdout" "^cached " "compile: cached"
run_is 6 "compile what is not there" "$RAPIDBYTE" compile --aot-dir "$TAP_DIR/aot" no-such-connector
like "$stderr" "no-such-connector" "compile: names what is not there"
run_is 6 "compile what is not WebAssembly" "$RAPIDBYTE" compile --aot-dir "$TAP_DIR/aot" "$ROOT/README.md/../README.md"
printf 'not wasm' >"$TAP_DIR/x.wasm"
run_is 6 "compile what only looks like it" "$RAPIDBYTE" compile --aot-dir "$TAP_DIR/aot" "$TAP_DIR/x.wasm"
like "$stderr" "WebAssembly" "compile: says that it is not"

# Room that a compiler's libraries would miss without a word.
run_is 6 "compile where files have a limit" bash -c 'ulimit -f 100; exec "$RAPIDBYTE" compile --aot-dir "$0/small" source-postgres' "$TAP_DIR"
like "$stderr" "$TAP_DIR/small/.*can't be written: File too large" "compile: says that the file is too large"
like "$stderr" "hint: .*ulimit -f" "compile: and what to do"
is "$(ls -A "$TAP_DIR/small")" "" "compile: leaves nothing half-written"

run_is 2 "the worker is not for the command line" "$RAPIDBYTE" worker
# shellcheck disable=SC2016
run_is 1 "a full disk for the output" sh -c '"$RAPIDBYTE" version >/dev/full'
done_testing

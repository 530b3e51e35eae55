#!/bin/bash
# state, history, cancel: what they show, and what they change reaches the destination's ledger.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pg_start main || bail "no PostgreSQL"
databases
src_sql "CREATE TABLE public.users (id int PRIMARY KEY, name text); INSERT INTO users SELECT i, 'u' || i FROM generate_series(1, 5) i;
    CREATE TABLE public.orders (id bigint PRIMARY KEY, at timestamptz NOT NULL); INSERT INTO orders SELECT i, '2026-01-01 00:00:00+00'::timestamptz + i * interval '1 day' FROM generate_series(1, 5) i;
    CREATE TABLE public.plain (id bigint PRIMARY KEY, at timestamp); INSERT INTO plain VALUES (1, '2026-01-31 23:59:59.5');
    CREATE TABLE public.refused (id int); INSERT INTO refused VALUES (1);
    CREATE VIEW public.slow AS SELECT i AS id, pg_sleep(0.05) IS NULL AS x FROM generate_series(1, 1000) i"
p=$TAP_DIR/p.yaml
STREAMS='- { name: users, sync_mode: incremental, cursor_field: id, lookback: 0, write_mode: upsert }
- { match: "or*", sync_mode: incremental, cursor_field: at, lookback: 0s, write_mode: upsert }'
pipeline "$p"

# json <expression of d>: of the document on stdout.
json() {
    python3 -c 'import json,sys; d = json.loads(sys.argv[1]); print(eval(sys.argv[2]))' "$stdout" "$1"
}

# written: of each stream of a run, by name.
written() {
    json '" ".join("%s=%d" % (s["name"], s["records_written"]) for s in d["streams"])'
}

runs() {
    run_is 0 "$1" "$RAPIDBYTE" run "$p" --output json
    is "$(written)" "$2" "$1: $2"
}

run_is 7 "state show: before the first run" "$RAPIDBYTE" state show "$p"
like "$stderr" "no state file .*state.db" "state show: says that there is none"
ok "state show: makes none" test ! -e "$TAP_DIR/state.db"
run_is 7 "history: before the first run" "$RAPIDBYTE" history "$p"
run_is 7 "cancel: before the first run" "$RAPIDBYTE" cancel "$p"

runs "first run" "users=5 orders=5"
runs "second run" "users=0 orders=0"
run_is 0 "state show" "$RAPIDBYTE" state show "$p"
like "$stdout" "^users +id +5 +20..-..-..T" "state show: an integer"
like "$stdout" "^orders +at +2026-01-06 00:00:00\+00 " "state show: a time"
STREAMS='- { name: plain, sync_mode: incremental, cursor_field: at, write_mode: append }' PIPELINE=plain STATE=plain pipeline "$TAP_DIR/plain.yaml"
run_is 0 "a time without a zone" "$RAPIDBYTE" run "$TAP_DIR/plain.yaml"
run_is 0 "state show: a time without a zone" "$RAPIDBYTE" state show "$TAP_DIR/plain.yaml"
like "$stdout" "^plain +at +2026-01-31 23:59:59\.5 +[^+]*\$" "state show: a time without a zone has none"
run_is 0 "state show: a time without a zone as JSON" "$RAPIDBYTE" state show "$TAP_DIR/plain.yaml" --output json
is "$(json '[(s["cursor_type"], s["value"]) for s in d["streams"]]')" "[('timestamp', '2026-01-31 23:59:59.5')]" "state show: the type, too"
unlike "$stdout" "being run" "state show: nobody runs it"
run_is 0 "state show --output json" "$RAPIDBYTE" state show "$p" --output json
is "$(json '[(s["stream"], s["value"], s["cursor_field"]) for s in d["streams"]][1], d["run_by"], d["pipeline"]')" "(('users', '5', 'id'), None, 'test')" "state show: JSON"
run_is 0 "state export" "$RAPIDBYTE" state export "$p"
cp "$TAP_STDOUT" "$TAP_DIR/exported.json"
is "$(json 'sorted(s["stream"] for s in d["streams"])')" "['orders', 'users']" "state export: streams"

# reset: by the ledger, so that the next run reads from the start.
run_is 0 "state reset --streams" "$RAPIDBYTE" state reset "$p" --streams users
like "$stdout" "^1 stream is read from the start" "state reset: says so"
runs "after the reset of one stream" "users=5 orders=0"
runs "and once more" "users=0 orders=0"
run_is 0 "state reset" "$RAPIDBYTE" state reset "$p" --output json
is "$(json 'd["ledger"], d["changed"]')" "(True, [{'stream': None, 'checkpoint': None}])" "state reset: JSON"
run_is 0 "state show after the reset" "$RAPIDBYTE" state show "$p"
like "$stdout" "no stream of 'test' has a cursor" "state show after the reset: nothing"
runs "after the reset of all" "users=5 orders=5"
same users "after resets: users"
same orders "after resets: orders"
run_is 0 "state reset once more" "$RAPIDBYTE" state reset "$p" --quiet
is "$stdout" "" "state reset --quiet"
rm -f "$TAP_DIR"/state.db*
runs "a reset lives in the ledger, without the state file" "users=5 orders=5"
is "$(dst_sql "SELECT count(*) FROM _rapidbyte.loads WHERE mode = 'set' AND checkpoint::text = 'null'")" 5 "the ledger keeps each reset"

# set-cursor.
run_is 0 "state set-cursor" "$RAPIDBYTE" state set-cursor "$p" users 3
like "$stdout" "stream 'users' goes on behind id = 3" "state set-cursor: says so"
run_is 0 "state show after set-cursor" "$RAPIDBYTE" state show "$p"
like "$stdout" "^users +id +3 " "state show after set-cursor"
runs "after set-cursor: what lies behind, and what ties with it" "users=3 orders=0"
run_is 0 "state set-cursor of a pattern's stream" "$RAPIDBYTE" state set-cursor "$p" orders '2026-01-05 00:00:00+00'
rm -f "$TAP_DIR"/state.db*
runs "after set-cursor: a time, by the ledger" "users=0 orders=2"
run_is 0 "state set-cursor: a negative number" "$RAPIDBYTE" state set-cursor "$p" users -- -5
runs "after set-cursor: a negative number" "users=5 orders=0"
run_is 2 "state set-cursor: a value that is none of the cursor's type" "$RAPIDBYTE" state set-cursor "$p" orders yesterday-ish
like "$stderr" "does not take the value: .*yesterday-ish" "state set-cursor: it is named"
runs "after a value that was refused: as before" "users=0 orders=0"
sed '/use: source-postgres/,/config:/s/port: [0-9]*/port: 1/' "$p" >"$TAP_DIR/no_source.yaml"
run_is 0 "state set-cursor: the source is down" "$RAPIDBYTE" state set-cursor "$TAP_DIR/no_source.yaml" users 5
like "$stderr" "the source was not asked whether it takes the value" "state set-cursor: the source is down: says so"
runs "after a value that was not tried" "users=1 orders=0"
run_is 2 "state set-cursor: no such stream" "$RAPIDBYTE" state set-cursor "$p" nobody 1
like "$stderr" "no incremental stream 'nobody'" "state set-cursor: named"
run_is 2 "state set-cursor: an empty value" "$RAPIDBYTE" state set-cursor "$p" users ''
run_is 2 "state set-cursor: no value" "$RAPIDBYTE" state set-cursor "$p" users
like "$stderr" "a pipeline, a stream and a value" "state set-cursor: what it needs"

# import: where the export was, although the ledger had gone on.
src_sql "INSERT INTO users VALUES (6, 'six'), (7, 'seven')"
runs "two more rows" "users=2 orders=0"
run_is 0 "state import" "$RAPIDBYTE" state import "$p" "$TAP_DIR/exported.json"
like "$stdout" "replaced: 2 streams" "state import: says so"
runs "after the import: the two rows again" "users=2 orders=0"
same users "after the import: users, every row once"
run_is 0 "state import from standard input" sh -c '"$RAPIDBYTE" state import "$1" - <"$2"' sh "$p" "$TAP_DIR/exported.json"
run_is 0 "state export after the import" "$RAPIDBYTE" state export "$p"
is "$(json '[(s["stream"], s["checkpoint"]) for s in d["streams"]]')" \
    "$(python3 -c 'import json,sys; d = json.load(open(sys.argv[1])); print([(s["stream"], s["checkpoint"]) for s in d["streams"]])' "$TAP_DIR/exported.json")" \
    "export, import, export: the same"
sed 's/"pipeline":"test"/"pipeline":"other"/' "$TAP_DIR/exported.json" >"$TAP_DIR/other.json"
run_is 2 "state import: of another pipeline" "$RAPIDBYTE" state import "$p" "$TAP_DIR/other.json"
like "$stderr" "of pipeline 'other', not of 'test'" "state import: of which"
echo '{"x": 1}' >"$TAP_DIR/x.json"
run_is 2 "state import: something else" "$RAPIDBYTE" state import "$p" "$TAP_DIR/x.json"
like "$stderr" "not an exported state" "state import: says that it is not"
run_is 2 "state import: no such file" "$RAPIDBYTE" state import "$p" "$TAP_DIR/none.json"

# A load that did not end: its receipt does not keep a reset stream from being read.
dst_sql "INSERT INTO _rapidbyte.open_loads (load_id, pipeline, streams) VALUES ('unfinished', 'test', '[\"users\"]');
    INSERT INTO _rapidbyte.loads (load_id, stream, unit, pipeline, attempt, mode, visible, rows, bytes, target, started) VALUES ('unfinished', 'users', 0, 'test', 1, 'upsert', true, 5, 5, 'raw.users', now())"
run_is 0 "a receipt of an unfinished load" "$RAPIDBYTE" state reset "$p" --streams users
runs "the stream is read all the same" "users=7 orders=0"

# A destination that can't be reached changes nothing.
cp "$p" "$TAP_DIR/down.yaml"
sed -i '/use: dest-postgres/,/config:/s/port: [0-9]*/port: 1/' "$TAP_DIR/down.yaml"
run_is 4 "state reset: the destination is down" "$RAPIDBYTE" state reset "$TAP_DIR/down.yaml"
runs "nothing was changed" "users=0 orders=0"

# history.
PIPELINE=other STREAMS='- { name: users, write_mode: upsert }
- nothing_there' pipeline "$TAP_DIR/other.yaml"
run_is 8 "a run that fails in part" "$RAPIDBYTE" run "$TAP_DIR/other.yaml"
run_is 0 "history" "$RAPIDBYTE" history "$p"
like "$stdout" "^ +[0-9]+ +test +20..-..-..T..:..:..Z +ok +0 +2 +7 " "history: a run"
unlike "$stdout" " other " "history: of that pipeline alone"
run_is 0 "history --limit" "$RAPIDBYTE" history "$p" --limit 1 --output json
is "$(json 'len(d["runs"]), d["runs"][0]["outcome"], d["runs"][0]["n_streams"]')" "(1, 'ok', 2)" "history --limit: JSON"
run_is 0 "history --state" "$RAPIDBYTE" history --state "$TAP_DIR/state.db"
like "$stdout" " other +.* partial +8 " "history --state: of all pipelines"
run_is 0 "history in the folder" sh -c 'cd "$1" && "$RAPIDBYTE" history' sh "$TAP_DIR"
like "$stdout" " other +.* partial +8 " "history: ./state.db"
run_is 2 "history: two states" "$RAPIDBYTE" history "$p" --state "$TAP_DIR/state.db"
run_is 2 "history: a limit that is none" "$RAPIDBYTE" history "$p" --limit 0
run_is 0 "history show last" "$RAPIDBYTE" history show last "$TAP_DIR/other.yaml"
like "$stdout" "^run [0-9]+ of 'other': partial, exit code 8" "history show: the run"
digest=$(sha256sum "$BUILD/connectors/source_postgres.wasm")
like "$stdout" "^connector: source source-postgres [0-9.]+ sha256:${digest%% *}$" "history show: the source's module"
digest=$(sha256sum "$BUILD/connectors/dest_postgres.wasm")
like "$stdout" "^connector: destination dest-postgres [0-9.]+ sha256:${digest%% *}$" "history show: the destination's module"
like "$stdout" "^users .* 7 +7 .* [0-9a-f]{16} +ok" "history show: a stream"
like "$stdout" "^  error: .*nothing_there" "history show: what failed and why"
run_is 0 "history show --output json" "$RAPIDBYTE" history show last "$TAP_DIR/other.yaml" --output json
is "$(json '[(s["name"], s["outcome"], s["records_written"], s["error"] is None) for s in sorted(d["streams"], key=lambda s: s["name"])]')" \
    "[('nothing_there', 'failed', 0, False), ('users', 'ok', 7, True)]" "history show: JSON"
id=$(json 'd["run_id"]')
run_is 0 "history show: by number" "$RAPIDBYTE" history show "$id" --state "$TAP_DIR/state.db"
run_is 2 "history show: of another pipeline" "$RAPIDBYTE" history show "$id" "$p"
like "$stderr" "no run '$id' of 'test'" "history show: of another pipeline: says so"
run_is 2 "history show: no number" "$RAPIDBYTE" history show first "$p"

# What looks only needs no variables of the environment.
sed 's/password: postgres/password: ${RAPIDBYTE_TEST_NOT_SET}/' "$p" >"$TAP_DIR/vars.yaml"
for command in "state show" "state export" history "history show last" cancel; do
    # shellcheck disable=SC2086
    run_is 0 "$command: without the password's variable" "$RAPIDBYTE" $command "$TAP_DIR/vars.yaml"
done
run_is 2 "state reset: with it missing" "$RAPIDBYTE" state reset "$TAP_DIR/vars.yaml"
sed 's/^pipeline: .*/pipeline: ${RAPIDBYTE_TEST_NOT_SET}/' "$p" >"$TAP_DIR/vars.yaml"
run_is 2 "state show: the name's variable is missing" "$RAPIDBYTE" state show "$TAP_DIR/vars.yaml"
like "$stderr" "a variable of the environment is missing" "state show: says so"

# cancel.
run_is 0 "cancel: nothing runs" "$RAPIDBYTE" cancel "$p"
like "$stdout" "not being run" "cancel: says so"
PIPELINE=slow STATE=slow STREAMS='- slow' pipeline "$TAP_DIR/slow.yaml"
"$RAPIDBYTE" run "$TAP_DIR/slow.yaml" >"$TAP_DIR/slow.out" 2>&1 &
pid=$!
at_exit kill "$pid"
# shellcheck disable=SC2317
reading() { [[ $(src_sql "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%slow%' AND state = 'active' AND pid <> pg_backend_pid() AND datname = 'src'") != 0 ]]; }
ok "a slow run reads" wait_until 10 reading
run_is 0 "state show while it runs" "$RAPIDBYTE" state show "$TAP_DIR/slow.yaml"
like "$stdout" "being run by process $pid on " "state show: by whom"
run_is 0 "history while it runs" "$RAPIDBYTE" history "$TAP_DIR/slow.yaml"
like "$stdout" " running " "history: it runs"
run_is 7 "state reset while it runs" "$RAPIDBYTE" state reset "$TAP_DIR/slow.yaml"
run_is 0 "cancel" "$RAPIDBYTE" cancel "$TAP_DIR/slow.yaml" --output json
is "$(json 'd["result"], d["pid"]')" "('ended', $pid)" "cancel: which, and that it has ended"
wait "$pid"
is "$?" 130 "the run says that it was cancelled"
not_ok "nothing reads any more" reading
run_is 0 "history after cancel" "$RAPIDBYTE" history "$TAP_DIR/slow.yaml"
like "$stdout" " cancelled +130 " "history: cancelled"
run_is 0 "cancel again" "$RAPIDBYTE" cancel "$TAP_DIR/slow.yaml" --output json
is "$(json 'd["result"]')" "not_running" "cancel again: nothing to do"
# A number in the file is not a run: another program's process is let alone.
sleep 300 &
stranger=$!
python3 - "$TAP_DIR/slow.db" "$stranger" <<'PY'
import socket, sqlite3, sys
stat = open(f"/proc/{sys.argv[2]}/stat").read().rsplit(")", 1)[1].split()
boot = open("/proc/sys/kernel/random/boot_id").read().strip()
with sqlite3.connect(sys.argv[1]) as db:
    db.execute("INSERT INTO locks VALUES ('slow', 't', ?, ?, ?, ?, 0)", (sys.argv[2], stat[19], boot, socket.gethostname()))
PY
run_is 7 "cancel: another program's process" "$RAPIDBYTE" cancel "$TAP_DIR/slow.yaml"
like "$stderr" "process $stranger has not got the state file open" "cancel: it is no run"
ok "cancel: it goes on" kill -0 "$stranger"
kill "$stranger"
wait "$stranger" 2>/dev/null
# A holder on another host, and one that is gone.
python3 - "$TAP_DIR/slow.db" <<'PY'
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as db:
    db.execute("INSERT OR REPLACE INTO locks VALUES ('slow', 't', 1, 1, 'x', 'elsewhere.example', 0)")
PY
run_is 7 "cancel: on another host" "$RAPIDBYTE" cancel "$TAP_DIR/slow.yaml"
like "$stderr" "on elsewhere.example .*not on this host" "cancel: where it runs"
done_testing

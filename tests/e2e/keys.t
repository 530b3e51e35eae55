#!/bin/bash
# Loads with a name (run --key): each is loaded once, however often its caller asks.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
. "$ROOT/tests/lib/faults.sh"
pg_start main || bail "no PostgreSQL"
databases
src_sql "CREATE TABLE a (id integer PRIMARY KEY, v text); INSERT INTO a SELECT g, 'v' FROM generate_series(1, 1000) g;
    CREATE TABLE b AS SELECT * FROM a; CREATE TABLE r AS SELECT * FROM a; CREATE TABLE i AS SELECT * FROM a"
make_gate src
p=$TAP_DIR/p.yaml
all='- { name: a }
- { name: r, write_mode: replace }
- { name: i, sync_mode: incremental, cursor_field: id }
- { name: b }'
write_mode=append
STREAMS=$all pipeline "$p"

rows() { dst_sql "SELECT count(*) FROM raw.$1" 2>/dev/null || echo none; }

# json <expression of d>
json() { python3 -c 'import json,sys; d = json.loads(sys.argv[1]); print(eval(sys.argv[2]))' "$stdout" "$1"; }

run_is 0 "a run before there is a key" "$RAPIDBYTE" run "$p" --streams r
run_is 0 "history without a key" "$RAPIDBYTE" history "$p"
unlike "$stdout" "  key" "history without a key has no column for it"
run_is 0 "a load with a key" "$RAPIDBYTE" run "$p" --key night-1 --output json
is "$(json 'd["key"], d["already_loaded"], d["resumed"]')" "('night-1', False, False)" "the report has its key"
run_is 0 "history" "$RAPIDBYTE" history "$p"
like "$stdout" "^ +run .*  key\$" "history has a column for keys"
like "$stdout" "^ +2  test .*  night-1\$" "history shows a load's key"
like "$stdout" "^ +1  test .*  -\$" "history: a load without a key"
run_is 0 "history, JSON" "$RAPIDBYTE" history "$p" --output json
is "$(json '[r["key"] for r in d["runs"]]')" "['night-1', None]" "history, JSON: the keys"
run_is 0 "history show" "$RAPIDBYTE" history show 2 "$p"
like "$stdout" "^key: +night-1\$" "history show has the key"
src_sql "UPDATE r SET v = 'later'; INSERT INTO i VALUES (1001, 'later')"
run_is 0 "the same key again" "$RAPIDBYTE" run "$p" --key night-1
like "$stderr" "already loaded: the load with the key 'night-1' has ended" "the same key again: says so"
like "$stdout" "^already loaded: 0 rows" "the same key again: the last line"
is "$(rows a) $(rows b) $(rows i)" "1000 1000 1000" "the same key again: no row moves"
is "$(dst_sql "SELECT DISTINCT v FROM raw.r")" v "the same key again: nothing is read"
run_is 0 "the same key by the variable" env RAPIDBYTE_KEY=night-1 "$RAPIDBYTE" run "$p" --output json
is "$(json 'd["already_loaded"], d["exit_code"], [s["outcome"] for s in d["streams"]]')" "(True, 0, ['already_loaded', 'already_loaded', 'already_loaded', 'already_loaded'])" "the variable: JSON"
run_is 0 "--key wins over the variable" env RAPIDBYTE_KEY=night-1 "$RAPIDBYTE" run "$p" --key night-2
is "$(rows a) $(rows i)" "2000 1001" "another key is another load"
same r "another key reads as it is now"
run_is 0 "an empty variable is none" env RAPIDBYTE_KEY= "$RAPIDBYTE" run "$p"
is "$(rows a)" 3000 "without a key: a load of its own"

# A load that did not end goes on: what stands is neither read nor written again.
src_sql 'ALTER TABLE b RENAME TO b_away'
run_is 8 "night-3 without b" "$RAPIDBYTE" run "$p" --key night-3
src_sql "ALTER TABLE b_away RENAME TO b; INSERT INTO i VALUES (1002, 'between')"
run_is 8 "no other key is held up by it" sh -c 'sed "s/name: b }/name: nothing }/; /name: r/d" "$1" >"$2" && "$RAPIDBYTE" run "$2" --key night-4' sh "$p" "$TAP_DIR/other.yaml"
is "$(rows a)" 5000 "another key appends what an unfinished load has appended"
src_sql "UPDATE r SET v = 'after'"
run_is 0 "night-3 again" "$RAPIDBYTE" run "$p" --key night-3 --output json
is "$(json 'd["resumed"], [s["outcome"] for s in d["streams"]]')" "(True, ['already_loaded', 'already_loaded', 'already_loaded', 'ok'])" "night-3 again: the one stream that it lacked"
is "$(rows a) $(rows b)" "5000 4000" "night-3 again: every row once"
is "$(dst_sql "SELECT DISTINCT v FROM raw.r")" later "night-3 again: what stands is not read again"
run_is 0 "night-3 once more" "$RAPIDBYTE" run "$p" --key night-3
is "$(rows a) $(rows b)" "5000 4000" "night-3 once more: it has ended"

# Some streams alone do not end it.
run_is 0 "night-5, a alone" "$RAPIDBYTE" run "$p" --key night-5 --streams a
run_is 0 "night-5, all" "$RAPIDBYTE" run "$p" --key night-5
is "$(rows a) $(rows b)" "6000 5000" "night-5: every stream once"

# Another document.
sed 's/name: a }/name: a, where: id > 0 }/' "$p" >"$TAP_DIR/changed.yaml"
run_is 2 "another document" "$RAPIDBYTE" run "$TAP_DIR/changed.yaml" --key night-5
like "$stderr" "the load with the key 'night-5' began with another document: streams\\.a\\.where has changed" "another document: what has changed"
sed 's/password: postgres/password: "postgres"/; s/max_retries: 3/max_retries: 2/' "$p" >"$TAP_DIR/same.yaml"
echo 'timeouts: { lock: 5s }' >>"$TAP_DIR/same.yaml"
run_is 0 "timeouts are not what is loaded" "$RAPIDBYTE" run "$TAP_DIR/same.yaml" --key night-5
is "$(rows a)" 6000 "timeouts: already loaded"
is "$(dst_sql "SELECT count(*) FROM _rapidbyte.open_loads WHERE document::text LIKE '%postgres%postgres%' AND document::text LIKE '%password%'")" 0 "the ledger has no password"

# What is wrong with a key.
run_is 2 "--new with a key" "$RAPIDBYTE" run "$p" --new --key x
like "$stderr" "does not go with --key" "--new with a key: says so"
run_is 2 "--new with the variable" env RAPIDBYTE_KEY=x "$RAPIDBYTE" run "$p" --new
run_is 2 "an empty key" "$RAPIDBYTE" run "$p" --key ''
run_is 2 "a key with a line break" "$RAPIDBYTE" run "$p" --key $'a\nb'
run_is 2 "a key that is too long" "$RAPIDBYTE" run "$p" --key "$(printf 'k%.0s' {1..251})"
run_is 2 "--resume of a key that named nothing" "$RAPIDBYTE" run "$p" --key never --resume
like "$stderr" "has no load with the key 'never' that could be resumed" "--resume: says so"
is "$(rows a)" 6000 "nothing was loaded"

# state abandon by key.
src_sql 'ALTER TABLE b RENAME TO b_away'
run_is 8 "night-6 does not end" "$RAPIDBYTE" run "$p" --key night-6
run_is 4 "state abandon: a key that names nothing" "$RAPIDBYTE" state abandon "$p" --key nobody
like "$stderr" "no unfinished load with the key 'nobody'" "state abandon: a key that names nothing: says so"
run_is 4 "state abandon: a key whose load has ended" "$RAPIDBYTE" state abandon "$p" --key night-1
like "$stderr" "has ended: there is nothing to give up" "state abandon: ended: says so"
PIPELINE=elsewhere STREAMS="- { name: a, destination_table: a2 }" pipeline "$TAP_DIR/elsewhere.yaml"
run_is 4 "state abandon: another pipeline's key" "$RAPIDBYTE" state abandon "$TAP_DIR/elsewhere.yaml" --key night-6
like "$stderr" "pipeline 'test' has one" "state abandon: another pipeline's key: names it"
run_is 0 "the same key in another pipeline" "$RAPIDBYTE" run "$TAP_DIR/elsewhere.yaml" --key night-6
is "$(rows a2)" 1000 "the same key in another pipeline names another load"
run_is 0 "state abandon --key" "$RAPIDBYTE" state abandon "$p" --key night-6 --output json
is "$(json '[load["key"] for load in d["given_up"]]')" "['night-6']" "state abandon --key: JSON"
src_sql 'ALTER TABLE b_away RENAME TO b'
run_is 0 "the key names a new load" "$RAPIDBYTE" run "$p" --key night-6
is "$(rows a)" 8000 "the key names a new load: everything is loaded"

# An engine that kills its jobs and starts them again.
src_sql 'CREATE TABLE large AS SELECT g AS id FROM generate_series(1, 30000) g'
STREAMS='- { name: large, destination_table: k, where: public.gate(id) }' PIPELINE=engine pipeline "$p"
for turn in 1 2; do
    close_gate src
    launch "$RAPIDBYTE" run "$p" --key job
    wait_until "$PATIENCE_S" at_gate src || bail "the run does not come to the gate: $(<"$TAP_STDERR")"
    worker=$(worker_of "$RUN_PID")
    kill -KILL "$RUN_PID"
    ok "killed, $turn" wait_until 5 is_gone "$worker"
    open_gate src
    finish
done
close_gate src
launch "$RAPIDBYTE" run "$p" --key job
wait_until "$PATIENCE_S" at_gate src || bail "the run does not come to the gate: $(<"$TAP_STDERR")"
run_is 7 "state abandon while a run works on it" "$RAPIDBYTE" state abandon "$p" --key job
like "$stderr" "is being run by process $RUN_PID" "state abandon: refused by process"
sed 's/state[.]db/elsewhere.db/' "$p" >"$TAP_DIR/engine.yaml"
for document in "$p" "$TAP_DIR/engine.yaml"; do
    run_is 7 "check while a run works on it" "$RAPIDBYTE" check "$document" --key job --output json
    json '[c["message"] for c in d["checks"] if c["fault"]][0]' >"$TAP_DIR/checked"
    run_is 7 "run while a run works on it" "$RAPIDBYTE" run "$document" --key job --output json
    is "$(json 'd["fault"]["error"]["message"]')" "$(<"$TAP_DIR/checked")" "while a run works on it: check says the same"
done
open_gate src
finish
is "$status" 0 "the third attempt" || diag "$stderr"
for _ in 1 2 3; do "$RAPIDBYTE" run "$p" --key job >"$TAP_DIR/out" 2>&1 || diag "$(<"$TAP_DIR/out")"; done
is "$(rows k)" 30000 "killed and started again: every row once"
done_testing

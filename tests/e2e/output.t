#!/bin/bash
# What the commands print: for people, for machines, quietly, and for benchmarks.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pg_start main || bail "no PostgreSQL"
databases
# shellcheck disable=SC2119
src_sql <<<"\\set events 2000
\\i examples/demo/seed.sql"
STREAMS='- { name: users }
- { name: bench_events }'
write_mode=replace
p=$TAP_DIR/p.yaml
pipeline "$p"

# json <python expression over `d`>: of standard output.
json() {
    python3 -c 'import json, sys
d = json.loads(sys.stdin.read())
print(eval(sys.argv[1]))' "$1" <<<"$stdout"
}

run_is 0 "run" "$RAPIDBYTE" run "$p"
like "$stdout" "^bench_events +2,000 +2,000 .* ok$" "run: a table at the end"
like "$stdout" "^ok: 2,003 rows in " "run: a closing line"
like "$stderr" "^  bench_events +2,000 rows  in " "run: a plain line at each stream's end where there is no terminal"
unlike "$stdout$stderr" $'\x1b' "run: no escape sequences where there is no terminal"

# Where nobody watches: a run's first and last line have the time, with its offset.
time='[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}'
run_is 0 "run from cron" env TZ=Asia/Kolkata "$RAPIDBYTE" run "$p"
like "$(head -n 1 <<<"$stderr")" "^$time\\+05:30 run of 'test' begins: 2 streams, $p, process [0-9]+\$" "run from cron: the first line"
like "$(tail -n 1 <<<"$stderr")" "^$time\\+05:30 run of 'test' ends: ok \\(exit code 0\\), 2 of 2 streams, 2,003 rows in .*, load [0-9a-f]{32}" \
    "run from cron: the last line"
run_is 0 "run from cron, with a key" "$RAPIDBYTE" run --key "night 1" "$p"
like "$(head -n 1 <<<"$stderr")" "process [0-9]+, key night 1\$" "run from cron, with a key: the first line"
like "$(tail -n 1 <<<"$stderr")" "load [0-9a-f]{32}, key night 1\$" "run from cron, with a key: the last line"
run_is 0 "run from cron, some streams" "$RAPIDBYTE" run --streams users "$p"
like "$stderr" "^${time}[-+][0-9:]{5} run of 'test' begins: 1 stream, " "run from cron, some streams: their number"
run_is 2 "run from cron, no document" "$RAPIDBYTE" run "$TAP_DIR/none.yaml"
like "$(tail -n 1 <<<"$stderr")" "^${time}[-+][0-9:]{5} run of $TAP_DIR/none.yaml ends: failed \\(exit code 2\\)\$" "run from cron, no document: the last line"
sed 's/name: users/name: nonesuch/' "$p" >"$TAP_DIR/partial.yaml"
run_is 8 "run from cron, a stream fails" "$RAPIDBYTE" run "$TAP_DIR/partial.yaml"
like "$(tail -n 1 <<<"$stderr")" "ends: partial \\(exit code 8\\), 1 of 2 streams, 2,000 rows in " "run from cron, a stream fails: the last line"

run_is 0 "run -q" "$RAPIDBYTE" run -q "$p"
is "$stdout$stderr" "" "run -q: prints nothing"

run_is 0 "run --output json" "$RAPIDBYTE" run --output json "$p"
is "$(json '[(s["name"], s["outcome"], s["records_read"], s["records_written"]) for s in d["streams"]]')" \
    "[('users', 'ok', 3, 3), ('bench_events', 'ok', 2000, 2000)]" "run: the report as JSON"
is "$(json 'd["exit_code"], d["delivery"], d["resumed"], d["fault"], len(d["streams"][1]["checksum"])')" \
    "(0, 'exactly_once', False, None, 16)" "run: the run's part of it"

run_is 0 "run --log-format json" "$RAPIDBYTE" run --log-format json --log-level debug "$p"
ok "run: every line of the log is an object" python3 -c 'import json, sys
lines = [json.loads(l) for l in sys.argv[1].splitlines()]
assert lines and all({"ts", "level", "message"} <= set(l) for l in lines)' "$stderr"
ok "run: what ended has its rows, the load and the pipeline" python3 -c 'import json, sys
lines = [json.loads(l) for l in sys.argv[1].splitlines()]
ends = {l["stream"]: l for l in lines if l["message"] == "ok"}
assert {s: l["rows"] for s, l in ends.items()} == {"users": 3, "bench_events": 2000}, ends
assert all(l["pipeline"] == "test" and len(l["load"]) == 32 and l["bytes"] > 0 and l["secs"] >= 0 for l in ends.values()), ends
first, last = lines[0], lines[-1]
assert first["message"] == "the run begins" and first["streams"] == 2 and first["document"], first
assert last["message"] == "the run has ended" and last["outcome"] == "ok" and last["exit_code"] == 0 and last["rows"] == 2003, last
assert last["pipeline"] == "test" and last["load"] == ends["users"]["load"] and last["streams"] == 2, last' "$stderr"
run_is 8 "run --log-format json, a stream fails" "$RAPIDBYTE" run --log-format json "$TAP_DIR/partial.yaml"
ok "run: an error as an object has its code and what to do" python3 -c 'import json, sys
errors = [l for l in map(json.loads, sys.argv[1].splitlines()) if l["level"] == "error"]
assert errors and all(l["code"] == "NO_SUCH_TABLE" and l["hint"] and l["side"] == "source" and l["pipeline"] for l in errors), errors' "$stderr"
sed 's/write_mode: replace/write_mode: replce/' "$p" >"$TAP_DIR/bad.yaml"
run_is 2 "run --log-format json, a mistake in the document" "$RAPIDBYTE" run --log-format json "$TAP_DIR/bad.yaml"
ok "run: a mistake as an object has its place and what to do" python3 -c 'import json, sys
error = json.loads(sys.argv[1].splitlines()[0])
assert error["line"] > 0 and error["column"] > 0 and error["document"].endswith("bad.yaml") and "replace" in error["hint"], error' "$stderr"
run_is 0 "run --log-level debug" "$RAPIDBYTE" run --log-level debug "$p"
like "$stderr" "^(debug|info): (source|dest)-postgres: " "run --log-level debug: what connectors log"

run_is 0 "RAPIDBYTE_BENCH=1" env RAPIDBYTE_BENCH=1 "$RAPIDBYTE" run -q "$p"
stdout=${stdout#@@BENCH_JSON@@}
is "$(json 'd["records_read"], d["records_written"], d["retries"], d["exit_code"]')" "(2003, 2003, 0, 0)" "bench: records"
is "$(json 'd["build"], d["aot"]')" "('release', True)" "bench: what was measured"
is "$(json 'all(d[k] > 0 for k in ["bytes_read", "bytes_written", "total_secs", "source_connect_secs", "source_query_secs", "destination_connect_secs", "destination_commit_secs", "module_load_ms", "instantiate_ms", "peak_worker_bytes", "peak_supervisor_bytes"])')" \
    True "bench: bytes, phases, module load and memory"

# A terminal: lines are drawn over, and end as a line a stream.
run_is 0 "on a terminal" python3 -c 'import os, pty, sys
out = []
def read(fd):
    data = os.read(fd, 65536)
    out.append(data)
    return data
status = pty.spawn(sys.argv[1:], read)
sys.exit(os.waitstatus_to_exitcode(status))' env TERM=xterm "$RAPIDBYTE" run "$p"
like "$stdout" $'\x1b\\[1A' "on a terminal: the live lines are taken back"
like "$stdout" "bench_events +2,000 rows  in" "on a terminal: what ended stays"

run_is 0 "check" "$RAPIDBYTE" check "$p"
like "$stdout" "^ok +delivery: exactly once" "check: how it delivers"
like "$stdout" "^ok +stream bench_events" "check: each stream"
run_is 0 "check --output json" "$RAPIDBYTE" check --output json "$p"
is "$(json '{c["verdict"] for c in d["checks"]}')" "{'ok'}" "check: JSON"

run_is 0 "discover" "$RAPIDBYTE" discover "$p"
like "$stdout" "^bench_events  \(about 2,000 rows\)" "discover: row estimate"
like "$stdout" "email +character varying\(120\) +string" "discover: types on both sides"
like "$stdout" "primary key: id" "discover: primary key"
like "$stdout" "cursor: updated_at" "discover: a proposed cursor"
run_is 0 "discover --output json" "$RAPIDBYTE" discover --output json "$p"
is "$(json '[s["name"] for s in d["streams"]]')" "['bench_events', 'orders', 'users']" "discover: JSON"
run_is 0 "discover --output yaml" "$RAPIDBYTE" discover --output yaml "$p"
STREAMS=$(sed -n '/^  streams:/,$p' <<<"$stdout" | sed '1d; s/^    //')
PIPELINE=pasted pipeline "$TAP_DIR/pasted.yaml"
run_is 0 "discover: its YAML runs as it is" "$RAPIDBYTE" run "$TAP_DIR/pasted.yaml"
same orders "discover: and moves what it lists"
done_testing

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

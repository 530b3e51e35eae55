#!/bin/bash
# The benchmark's harness: it measures, and it refuses to say anything of what isn't right.
. "$(dirname "$0")/../lib/tap.sh"
# The server's user must reach it.
chmod 755 "$TAP_DIR"
export TMPDIR=$TAP_DIR
# Compiling the guests ahead of time takes long on a machine that has other work.
RUN_TIMEOUT_S=200
report=$TAP_DIR/bench.json

# figures <expression over d, the report>
figures() {
    python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
print(eval(sys.argv[2]))' "$report" "$1"
}

run_is 0 "quick" bench/run --out "$report" quick
like "$stdout" "rapidbyte +2 +0\.[0-9]{3} " "quick: a table"
is "$(grep -c '^@@BENCH_JSON@@{"workload": "quick", "way": ' <<<"$stdout")" \
    "$(figures 'len(d["workloads"]["quick"]["summary"]["ways"])')" "quick: a line for each way"
is "$(figures 'all(d["workloads"]["quick"]["summary"]["ways"][w]["runs"] == 2 for w in ("ours", "ours_replace", "psql_binary", "psql_text", "psql_freeze", "relay", "insert_select", "pg_dump_psql", "pg_dump_restore"))')" \
    True "quick: all ways, in each round"
is "$(figures 'all(0 < r["cpu"] and 0 < r["wall"] and 2**20 < r["peak_bytes"] for x in d["workloads"]["quick"]["rounds"] for r in x.values())')" \
    True "quick: seconds, CPU and memory of each run"

run_is 0 "more rounds" bench/run --out "$report" --append --rounds 1 --ways ours,psql_binary quick
is "$(figures 'len(d["workloads"]["quick"]["rounds"]), d["workloads"]["quick"]["summary"]["ways"]["ours"]["runs"], d["workloads"]["quick"]["summary"]["ways"]["relay"]["runs"]')" \
    "(3, 3, 2)" "more rounds: are added to those there were"
run_is 1 "more rounds of other rows" bench/run --out "$report" --append --rows 1000 quick
like "$stderr" "nothing to append to" "more rounds of other rows: refused"

sed 's/"build": "[0-9a-f]*"/"build": "another"/' "$report" >"$TAP_DIR/another.json"
run_is 1 "more rounds of another build" bench/run --out "$TAP_DIR/another.json" --append quick
like "$stderr" "is of another build" "more rounds of another build: refused"

cp "$report" "$TAP_DIR/before"
run_is 1 "destinations that are wrong" bench/run --out "$report" lossy changed
is "$stdout" "" "destinations that are wrong: no figure"
like "$stderr" "lossy: no figures: .*the destination holds 1999\|.*the source 2000\|" "a row is missing: why"
like "$stderr" "changed: no figures: .*the destination holds 2000\|.*the source 2000\|" "a value is another: why"

if command -v perf >/dev/null; then
    run_is 0 "a profile" bench/run --profile "$TAP_DIR/profile" --rows 100000 quick
    ok "a profile: the guests' functions by their names" grep -q 'source_postgres:[a-z_]*[; ]' "$TAP_DIR/profile/quick.folded"
    ok "a profile: a picture" grep -q '<title>[a-z_]*_postgres:[a-z_]*: ' "$TAP_DIR/profile/quick.svg"
else
    skip "perf is not installed" 3
fi

# A binary that is not a release, or interprets.
binary=$RAPIDBYTE
cat >"$TAP_DIR/other" <<SH
#!/bin/sh
if [ "\$1" = run ] && [ -n "\$INTERPRET" ]; then set -- "\$@" --interpreter; fi
"$binary" "\$@" | sed "s/\"build\":\"release\"/\"build\":\"\${BUILT:-release}\"/"
SH
chmod 755 "$TAP_DIR/other"
export RAPIDBYTE=$TAP_DIR/other
BUILT=debug run_is 1 "a debug build" bench/run --out "$report" quick
like "$stderr" "is a debug build" "a debug build: refused"
is "$stdout" "" "a debug build: no figure"
INTERPRET=1 run_is 1 "the interpreter" bench/run --out "$report" --ways ours quick
like "$stderr" "not compiled ahead of time" "the interpreter: refused"
is "$stdout" "" "the interpreter: no figure"
ok "what is refused leaves the report alone" cmp "$TAP_DIR/before" "$report"

is "$(find "$TAP_DIR" -mindepth 1 -maxdepth 1 -name 'rapidbyte-*')" "" "nothing is left behind"
done_testing

#!/bin/bash
# bench-check counts the same each time, and does not let a few per cent more pass.
. "$(dirname "$0")/../lib/tap.sh"
command -v valgrind >/dev/null || {
    skip "valgrind is not installed (./setup --bench)"
    done_testing
}
baseline=$TAP_DIR/baseline.json
check=(bench/check --baseline "$baseline" --only push)

run_is 1 "without a baseline" "${check[@]}" build/hot/hot
like "$stderr" "has no counts for clang [0-9.]+ .*ACCEPT=1" "without a baseline: says so"
run_is 0 "a new baseline" "${check[@]}" --accept build/hot/hot
run_is 0 "the same program" "${check[@]}" build/hot/hot
is "$(grep -c '+0\.00 %' <<<"$stdout")" 3 "the same program: to the instruction"
run_is 1 "four instructions more for each length" "${check[@]}" build/hot/slower
is "$(grep -cE '^push (narrow|typed|floats) .*\+[2-9]\.[0-9]+ %  MORE$' <<<"$stdout")" 3 "four instructions more for each length: all loops"
run_is 0 "their baseline" bench/check --baseline "$TAP_DIR/slower.json" --only push --accept build/hot/slower
run_is 1 "fewer instructions" bench/check --baseline "$TAP_DIR/slower.json" --only push build/hot/hot
like "$stdout" "LESS$" "fewer instructions: a new baseline is asked for"
ok "the baseline that is committed has every loop" python3 -c 'import json
for key, counts in json.load(open("bench/baseline.json")).items():
    assert key.startswith("clang ") and len(counts) == 24, key'
done_testing

#!/bin/bash
# The demo as a new user runs it, with fewer rows; and Ctrl-C in the middle of it.
. "$(dirname "$0")/../lib/tap.sh"
# The server's user must reach it.
chmod 755 "$TAP_DIR"
export DEMO_EVENTS=20000 TMPDIR=$TAP_DIR

run_is 0 "the demo" tools/demo
is "$(grep -c identical <<<"$stdout")" 7 "the demo: three tables identical, twice, and says so"
like "$stdout" "^bench_events +0 rows moved" "the demo: nothing moves again"
like "$stdout" "^users +1 rows moved" "the demo: what is new moves"
is "$(find "$TAP_DIR" -mindepth 1 -maxdepth 1 ! -name '.*')" "" "the demo: leaves nothing behind"

# A shell's background commands ignore SIGINT unless told otherwise.
env --default-signal=INT setsid tools/demo >"$TAP_DIR/.out" 2>&1 &
demo=$!
wait_until 20 grep -q "rapidbyte run" "$TAP_DIR/.out" || fail "the demo gets to its run"
kill -INT -- "-$demo"
wait "$demo"
isnt "$?" 0 "the demo: ends on Ctrl-C"
is "$(find "$TAP_DIR" -mindepth 1 -maxdepth 1 ! -name '.*')" "" "the demo: leaves nothing behind on Ctrl-C"
not_ok "the demo: no server of it runs on" pgrep -f "postgres.*$TAP_DIR"
done_testing

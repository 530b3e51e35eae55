#!/bin/bash
# The tests' own library: its servers, and that its assertions fail when they should.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"

# sub_test <lines of a script>: run as a test of its own.
sub_test() {
    {
        printf '. "%s/tests/lib/tap.sh"\n' "$ROOT"
        printf '%s\n' "$@"
    } >"$TAP_DIR/sub.t"
    run bash "$TAP_DIR/sub.t"
}

fails_once() {
    sub_test "$2" done_testing
    like "$stdout" '^not ok 1' "$1: says not ok"
    is "$status" 1 "$1: exit status"
}

fails_once "is" 'is a b name'
fails_once "isnt" 'isnt a a name'
fails_once "like" 'like abc x name'
fails_once "unlike" 'unlike abc b name'
fails_once "ok" 'ok name false'
fails_once "not_ok" 'not_ok name true'
fails_once "cmp_ok" 'cmp_ok 1 -gt 2 name'
fails_once "run_is" 'run_is 0 name sh -c "exit 3"'
sub_test 'pass one'
isnt "$status" 0 "a script that ends without done_testing fails"
sub_test done_testing
isnt "$status" 0 "a script without an assertion fails"
sub_test 'is a a one' 'like "a b" "^a" two' done_testing
is "$status" 0 "a script whose assertions hold succeeds"
sub_test 'run sh -c "echo out; echo err >&2; exit 3"' 'is "$status $stdout $stderr" "3 out err" captured' done_testing
is "$status" 0 "run captures status and both outputs"
sub_test 'at_exit touch "'"$TAP_DIR"'/hook"' 'kill -TERM $$' 'sleep 5'
is "$status" 143 "a terminated script says so"
ok "and runs its exit hooks" test -e "$TAP_DIR/hook"

harness() {
    printf '#!/bin/sh\n%s\n' "$1" >"$TAP_DIR/h.t"
    chmod +x "$TAP_DIR/h.t"
    run tools/run-tests "$TAP_DIR/h.t"
}
harness 'echo "ok 1 - a"; echo "ok 2 - b # SKIP no"; echo "1..2"'
is "$status $(tail -n 1 <<<"$stdout")" "0 1 passed, 0 failed" "skipped assertions are not counted as passed"
harness 'echo "ok 1 - a"; echo "not ok 2 - b"; echo "1..2"; exit 1'
is "$status $(tail -n 1 <<<"$stdout")" "1 1 passed, 1 failed" "a failed assertion fails the run"
like "$stderr" 'make test T=h' "and the run says how to run the test alone"
harness 'echo "ok 1 - a"; echo "1..1"; kill -SEGV $$'
is "$status $(tail -n 1 <<<"$stdout")" "1 1 passed, 1 failed" "a crash counts as a failure"
harness 'echo "ok 1 - a"; echo "1..2"'
is "$status $(tail -n 1 <<<"$stdout")" "1 1 passed, 1 failed" "so does a plan that was not kept"
harness 'echo "1..0 # SKIP nothing"'
is "$status $(tail -n 1 <<<"$stdout")" "1 0 passed, 0 failed" "a run in which nothing passed fails"

ok "a server starts" pg_start || bail "no server"
is "$(pg_sql 'SELECT 1 + 1')" 2 "and answers"
is "$(stat -c %U "$PG_DATA")" "$PG_OWNER" "its data belongs to its user"
isnt "$PG_OWNER" root "which is not root"
first_dir=$PG_DIR
PG_AUTH=scram-sha-256
ok "a second server starts, with passwords" pg_start second
tcp() {
    PGPASSWORD=$1 "$PG_BIN/psql" -X -At -h 127.0.0.1 -p "$PG_PORT" -U postgres -c "$2" postgres
}
run tcp wrong 'SELECT 1'
like "$stderr" 'password authentication failed' "which it checks"
is "$(tcp postgres 'SELECT current_setting($$password_encryption$$)')" scram-sha-256 "the right one is taken"
pg_use main
is "$PG_DIR" "$first_dir" "pg_use goes back to the first"
pg_stop
not_ok "a stopped server is gone" test -e "$first_dir"
PG_AUTH=md5
ok "a server with md5 passwords starts" pg_start third
is "$(tcp postgres 'SELECT left(rolpassword, 3) FROM pg_authid WHERE rolname = $$postgres$$')" md5 "they are md5"
run bash -c '. tests/lib/pg.sh; pg_start && echo "$PG_DIR $PG_PORT" && kill -INT $$; sleep 5'
read -r other_dir other_port <<<"$stdout"
is "$status" 130 "an interrupted script says so"
ok "its server ran on a port" test -n "$other_port"
not_ok "and is gone with its folder" test -e "$other_dir"
# What ./setup does not bring, a test does not find.
if command -v dpkg-query >/dev/null; then
    sed '/^sqlite3 /d' setup >"$TAP_DIR/setup"
    run_is 0 "programs: of a ./setup without sqlite3" bash -c 'cd "$1" && "$2/tools/setup-programs" programs' - "$TAP_DIR" "$ROOT"
    ok "programs: python3 is there" test -x "$TAP_DIR/programs/python3"
    not_ok "programs: sqlite3 is not" test -e "$TAP_DIR/programs/sqlite3"
    like "$(command -v sqlite3)" "^$BUILD/programs/" "programs: the tests' own are those of ./setup"
fi
done_testing

# shellcheck shell=bash
# TAP for bash, sourced by tests/e2e/*.t:
#
#   . "$(dirname "$0")/../lib/tap.sh"
#   run "$RAPIDBYTE" version             # sets status, stdout, stderr (and the files $TAP_STDOUT, …)
#   is "$status" 0 "version succeeds"
#   like "$stdout" '^rapidbyte ' "and names itself"
#   done_testing
#
# A script runs from the tree's root. Each assertion returns 0 or 1, so that `ok … || diag …` works;
# without done_testing at its end a script has failed (no plan), so it cannot end early unnoticed.

set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
ROOT=$PWD
BUILD=$ROOT/build
# What the scripts test.
RAPIDBYTE=${RAPIDBYTE:-$BUILD/rapidbyte}
export ROOT BUILD RAPIDBYTE

# A folder for the script's files, removed at its end unless KEEP=1.
TAP_DIR=$(mktemp -d "${TMPDIR:-/tmp}/rapidbyte-test.XXXXXX") || exit 2
TAP_STDOUT=$TAP_DIR/.stdout
TAP_STDERR=$TAP_DIR/.stderr
TAP_N=0
TAP_FAILED=0
TAP_DONE=0
TAP_EXIT_HOOKS=()
# Set by run.
status=0
stdout=
stderr=

# at_exit <command words>: run at the script's end, the latest first, whatever ends it.
at_exit() {
    TAP_EXIT_HOOKS+=("$(printf '%q ' "$@")")
}

tap_exit() {
    local code=$? i
    trap - EXIT INT TERM HUP
    for ((i = ${#TAP_EXIT_HOOKS[@]} - 1; i >= 0; i--)); do
        eval "${TAP_EXIT_HOOKS[i]}" >/dev/null 2>&1
    done
    if [[ ${KEEP:-} ]]; then
        diag "kept: $TAP_DIR"
    else
        rm -rf "$TAP_DIR"
    fi
    ((TAP_DONE && !TAP_FAILED)) || ((code)) || code=1
    exit "$code"
}
trap tap_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# diag <text>: shown beside the assertions.
diag() {
    printf '%s\n' "$*" | sed 's/^/# /'
}

pass() {
    TAP_N=$((TAP_N + 1))
    printf 'ok %d - %s\n' "$TAP_N" "$1"
}

fail() {
    TAP_N=$((TAP_N + 1))
    TAP_FAILED=$((TAP_FAILED + 1))
    printf 'not ok %d - %s\n' "$TAP_N" "$1"
    diag "at ${BASH_SOURCE[2]:-?}:${BASH_LINENO[1]:-?}"
    return 1
}

# ok <name> <command words>: the command succeeds.
ok() {
    local name=$1
    shift
    if "$@"; then
        pass "$name"
    else
        fail "$name" || { diag "failed: $*"; return 1; }
    fi
}

# not_ok <name> <command words>: the command fails.
not_ok() {
    local name=$1
    shift
    if "$@"; then
        fail "$name" || { diag "succeeded: $*"; return 1; }
    else
        pass "$name"
    fi
}

# is <got> <expected> <name>
is() {
    if [[ $1 == "$2" ]]; then
        pass "$3"
    else
        fail "$3" || { diag "     got: $1"; diag "expected: $2"; return 1; }
    fi
}

# isnt <got> <not expected> <name>
isnt() {
    if [[ $1 != "$2" ]]; then
        pass "$3"
    else
        fail "$3" || { diag "got: $1"; return 1; }
    fi
}

# like <text> <extended regular expression> <name>; lines are matched one by one
like() {
    if grep -Eq -e "$2" <<<"$1"; then
        pass "$3"
    else
        fail "$3" || { diag "    text: $1"; diag "expected: $2"; return 1; }
    fi
}

# unlike <text> <extended regular expression> <name>
unlike() {
    if grep -Eq -e "$2" <<<"$1"; then
        fail "$3" || { diag "      text: $1"; diag "unexpected: $2"; return 1; }
    else
        pass "$3"
    fi
}

# cmp_ok <a> <operator of [[ or -lt, -le, …> <b> <name>
cmp_ok() {
    if test "$1" "$2" "$3"; then
        pass "$4"
    else
        fail "$4" || { diag "not so: $1 $2 $3"; return 1; }
    fi
}

# skip <reason> [<count>]
skip() {
    local i
    for ((i = 0; i < ${2:-1}; i++)); do
        TAP_N=$((TAP_N + 1))
        printf 'ok %d # SKIP %s\n' "$TAP_N" "$1"
    done
}

# run <command words>: sets status, stdout and stderr. A limit of RUN_TIMEOUT_S (300) applies to
# programs; status is then 124.
run() {
    local kind
    kind=$(type -t "$1")
    if [[ $kind == file ]]; then
        timeout --kill-after=5 "${RUN_TIMEOUT_S:-300}" "$@" >"$TAP_STDOUT" 2>"$TAP_STDERR" </dev/null
    else
        "$@" >"$TAP_STDOUT" 2>"$TAP_STDERR" </dev/null
    fi
    status=$?
    stdout=$(<"$TAP_STDOUT")
    stderr=$(<"$TAP_STDERR")
    return 0
}

# run_is <expected status> <name> <command words>: run, and show what it wrote if the status differs.
run_is() {
    local expected=$1 name=$2
    shift 2
    run "$@"
    if [[ $status == "$expected" ]]; then
        pass "$name"
    else
        fail "$name" || {
            diag "status: $status, expected: $expected"
            diag "stdout: $stdout"
            diag "stderr: $stderr"
            return 1
        }
    fi
}

# wait_until <seconds> <command words>: polls until the command succeeds; fails after the time.
wait_until() {
    local end=$((SECONDS + $1 + 1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || return 1
        sleep 0.05
    done
}

# relay <command words>: counts and numbers the TAP lines that it prints; it must succeed.
relay() {
    local line
    while IFS= read -r line; do
        case $line in
        'ok '*) pass "${line#ok }" ;;
        'not ok '*) fail "${line#not ok }" ;;
        *) printf '%s\n' "$line" ;;
        esac
    done < <("$@" || echo "not ok $*")
}

# bail <reason>: nothing more can be tested.
bail() {
    printf 'Bail out! %s\n' "$*"
    exit 1
}

# done_testing: the plan; the last line of a script.
done_testing() {
    printf '1..%d\n' "$TAP_N"
    TAP_DONE=1
    ((TAP_N > 0)) || TAP_FAILED=1
    exit $((TAP_FAILED ? 1 : 0))
}

#!/bin/bash
# PostgreSQL 15.20 (Debian 12, November 2026) keeps a number of its own in the options of every column.
#
# Seen with postgresql-15 15.20-0+deb12u1 beside 15.18-0+deb12u1, both of Debian 12's archives:
#   - pg_attribute.attoptions of a new column is {pg_attver=N}, though nobody set an option; before, it was NULL.
#   - ALTER TABLE … ALTER … SET (pg_attver = 3) succeeds and changes nothing; RESET does not take it away.
#   - pg_dump 15.20 leaves it out. pg_dump 15.18 of the same server writes SET (pg_attver=N) for every column,
#     and a server 15.18 refuses that: unrecognized parameter "pg_attver".
#
# Why it surprises: minor releases of PostgreSQL do not change the catalogue as a rule, and clients of one major
# version are said to go with its servers. Whoever compares attoptions, or replays them as pg_dump does, sees a
# difference for every column, and a dump by a client of May can't be restored into a server of May.
#
# Fetches the packages by apt from where this machine is configured to, into a temporary folder; starts the
# servers there, on a Unix socket alone. Exits 1 when what is said above is no longer so, 2 when it can't be tried.
set -euo pipefail

OLD=15.18-0+deb12u1
NEW=15.20-0+deb12u1
work=$(mktemp -d "${TMPDIR:-/tmp}/finding.XXXXXX")
owner=()
if [[ $(id -u) == 0 ]]; then
    owner=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups --)
    chown nobody "$work"
fi

bin() { echo "$work/$1/usr/lib/postgresql/15/bin"; }

# with <version> <program> <arguments>: of that version, with its libpq.
with() {
    local version=$1 program=$2
    shift 2
    "${owner[@]}" env HOME="$work" LC_ALL=C LD_LIBRARY_PATH="$(echo "$work/$version"/usr/lib/*-linux-gnu)" "$(bin "$version")/$program" "$@"
}

# shellcheck disable=SC2317 # by the trap
finish() {
    local version
    for version in "$OLD" "$NEW"; do
        [[ ! -e $work/data-$version/postmaster.pid ]] || with "$version" pg_ctl -D "$work/data-$version" -m immediate -w -s stop || true
    done
    rm -rf "$work"
}
trap finish EXIT

cant() {
    echo "can't be tried here: $*" >&2
    exit 2
}

start() {
    local version=$1 package
    mkdir "$work/$version" "$work/socket-$version"
    (cd "$work" && for package in postgresql-15 postgresql-client-15 libpq5; do
        apt-get -qq download "$package=$version" || exit 1
    done) 2>"$work/apt.log" || cant "$(cat "$work/apt.log")"
    for package in "$work"/*_"$version"_*.deb; do
        dpkg-deb -x "$package" "$work/$version"
    done
    [[ ${#owner[@]} == 0 ]] || chown -R nobody "$work/socket-$version"
    with "$version" initdb -D "$work/data-$version" -U postgres --auth=trust --locale=C --no-sync >"$work/initdb.log" 2>&1 || cant "$(cat "$work/initdb.log")"
    with "$version" pg_ctl -D "$work/data-$version" -l "$work/log-$version" -w -s start \
        -o "-k $work/socket-$version -p 5432 -c listen_addresses= -c fsync=off -c jit=off"
}

sql() {
    with "$1" psql -XqAt -v ON_ERROR_STOP=1 -h "$work/socket-$1" -U postgres -c "$2" 2>&1
}

wrong=0
# expect <what> <extended regular expression> <text>
expect() {
    if grep -Eq -e "$2" <<<"$3"; then
        echo "as seen: $1: $(grep -E -m1 -e "$2" <<<"$3")"
    else
        echo "CHANGED: $1: $3"
        wrong=1
    fi
}

chmod 755 "$work"
start "$OLD"
start "$NEW"
options="SELECT coalesce(attoptions::text, 'NULL') FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'a'"
for version in "$OLD" "$NEW"; do
    sql "$version" 'CREATE TABLE t (a int)' >/dev/null
done
expect "a new column's options, $OLD" '^NULL$' "$(sql "$OLD" "$options")"
before=$(sql "$NEW" "$options")
expect "a new column's options, $NEW" '^\{pg_attver=[0-9]+\}$' "$before"
expect "setting the number" '^$' "$(sql "$NEW" 'ALTER TABLE t ALTER a SET (pg_attver = 3)')"
expect "taking it away" '^$' "$(sql "$NEW" 'ALTER TABLE t ALTER a RESET (pg_attver)')"
expect "the number is a number still" '^\{pg_attver=[0-9]+\}$' "$(sql "$NEW" "$options")"
dump() {
    with "$1" pg_dump -h "$work/socket-$NEW" -U postgres --schema-only postgres 2>&1 | grep -E 'attver|^CREATE TABLE' || true
}
expect "pg_dump $OLD of the server $NEW" 'SET \(pg_attver=' "$(dump "$OLD")"
expect "pg_dump $NEW leaves it out" '^no attver$' "$(dump "$NEW" | grep attver || echo 'no attver')"
expect "restoring that into $OLD" 'unrecognized parameter "pg_attver"' "$(sql "$OLD" "$(dump "$OLD" | grep attver)" || true)"
exit "$wrong"

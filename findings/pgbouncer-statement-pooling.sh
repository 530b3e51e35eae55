#!/bin/bash
# PgBouncer's pool_mode = statement refuses a transaction as if the connection had been lost, and lets one pass that comes in one message.
#
# Seen with pgbouncer 1.18.0-1+deb12u1 before postgresql-15 15.20-0+deb12u1, both of Debian 12's archives:
#   - BEGIN is answered by FATAL with SQLSTATE 08P01, and the connection is closed. The same SQLSTATE has query_wait_timeout, no session was
#     left in time: that passes, this never does.
#   - BEGIN; INSERT …; COMMIT in one simple query passes, and commits, though "transaction blocks" are "not allowed".
#   - BEGIN; INSERT … in one simple query is refused only after the server has run both; the pooler closes that session, which undoes them.
#
# Why it surprises: a client that tries class 08 (connection exception) again does so to the end, for a mistake in a configuration; only the words tell. And what
# is refused is not a transaction, but that a message ends within one.
#
# Fetches the packages by apt from where this machine is configured to, into a temporary folder; starts the pooler on 127.0.0.1 and the
# server on a Unix socket. Exits 1 when what is said above is no longer so, 2 when it can't be tried.
set -euo pipefail

POOLER=1.18.0-1+deb12u1
SERVER=15.20-0+deb12u1
work=$(mktemp -d "${TMPDIR:-/tmp}/finding.XXXXXX")
owner=()
[[ $(id -u) != 0 ]] || owner=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups --)
pooler=

# with <program of PostgreSQL> <arguments>
with() {
    "${owner[@]}" env HOME="$work" LC_ALL=C LD_LIBRARY_PATH="$libraries" "$work/root/usr/lib/postgresql/15/bin/$1" "${@:2}"
}

# shellcheck disable=SC2317 # by the trap
finish() {
    [[ -z $pooler ]] || kill "$pooler" || true
    [[ ! -e $work/data/postmaster.pid ]] || with pg_ctl -D "$work/data" -m immediate -w -s stop || true
    rm -rf "$work"
}
trap finish EXIT

cant() {
    echo "can't be tried here: $*" >&2
    exit 2
}

chmod 755 "$work"
mkdir "$work/root" "$work/socket"
packages=("pgbouncer=$POOLER" "postgresql-15=$SERVER" "postgresql-client-15=$SERVER" "libpq5=$SERVER" libevent-2.1-7 libc-ares2)
(cd "$work" && apt-get -qq download "${packages[@]}") 2>"$work/apt.log" || cant "$(cat "$work/apt.log")"
for package in "$work"/*.deb; do
    dpkg-deb -x "$package" "$work/root"
done
libraries=$(echo "$work"/root/usr/lib/*-linux-gnu)
[[ ${#owner[@]} == 0 ]] || chown -R nobody "$work"
with initdb -D "$work/data" -U postgres --auth=trust --locale=C --no-sync >"$work/initdb.log" 2>&1 || cant "$(cat "$work/initdb.log")"
with pg_ctl -D "$work/data" -l "$work/log" -w -s start -o "-k $work/socket -c listen_addresses= -c fsync=off -c jit=off"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$work/pooler.ini" <<INI
[databases]
postgres = host=$work/socket user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = any
pool_mode = statement
default_pool_size = 1
query_wait_timeout = 1
INI
chmod 644 "$work/pooler.ini"
"${owner[@]}" env LD_LIBRARY_PATH="$libraries" "$work/root/usr/sbin/pgbouncer" -q "$work/pooler.ini" >"$work/pooler.log" 2>&1 &
pooler=$!

# through <SQL>: one simple query, by the pooler.
through() { with psql -XqAt -v VERBOSITY=verbose -h 127.0.0.1 -p "$port" -U postgres -d postgres -c "$1" 2>&1 || true; }
for ((tries = 0; tries < 50; tries++)); do
    [[ $(through 'SELECT 1') != 1 ]] || break
    sleep 0.1
done
[[ $(through 'SELECT 1') == 1 ]] || cant "$(cat "$work/pooler.log")"

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
refusal='^FATAL:  08P01: transaction blocks not allowed in statement pooling mode$'
through 'CREATE TABLE t (i int); CREATE SEQUENCE s' >/dev/null
expect "BEGIN alone" "$refusal" "$(through 'BEGIN')"
expect "a transaction in one message" '^$' "$(through 'BEGIN; INSERT INTO t VALUES (1); COMMIT')"
expect "it is committed" '^1$' "$(through 'SELECT count(*) FROM t')"
expect "the beginning of one in one message" "$refusal" "$(through "BEGIN; INSERT INTO t VALUES (nextval('s'))")"
# A sequence keeps what it gave, whatever becomes of the transaction.
expect "the server has run it" '^1\|t$' "$(through 'SELECT last_value, is_called FROM s')"
expect "it is undone" '^1$' "$(through 'SELECT count(*) FROM t')"
through 'SELECT pg_sleep(4)' >/dev/null &
sleeper=$!
sleep 1
expect "no session left in time" '^FATAL:  08P01: query_wait_timeout$' "$(through 'SELECT 1')"
wait "$sleeper"
exit "$wrong"

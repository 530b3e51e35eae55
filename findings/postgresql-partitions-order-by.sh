#!/bin/bash
# PostgreSQL plans ORDER BY over many partitions in a time that grows with the square of their number; without it, it does not.
#
# Seen with postgresql-15 15.20-0+deb12u1 of Debian 12's archive, a table with a partition for each range and a primary key in each,
# planned in a session that has planned it before:
#   - ORDER BY id DESC LIMIT 1, where the primary key is of id: 45 ms with 1,000 partitions, 862 ms with 4,000, more than nine times as
#     long. With 10,000 it was 14 s, of a statement that then reads one page. ORDER BY a column without an index: 35 ms and 1,048 ms.
#   - count(*), which reads every partition: 16 ms and 94 ms.
#
# Why it surprises: that many partitions cost time to plan is known, and is about proportional for most statements; "where does this
# table end" is what clients ask first, does next to no work, and is the one that stops being usable. EXPLAIN's plan does not show it.
#
# Fetches the packages by apt from where this machine is configured to, into a temporary folder; the server listens on a Unix socket
# alone. Exits 1 when what is said above is no longer so, 2 when it can't be tried.
set -euo pipefail

SERVER=15.20-0+deb12u1
FEW=1000
MANY=4000
ROUNDS=5
work=$(mktemp -d "${TMPDIR:-/tmp}/finding.XXXXXX")
owner=()
[[ $(id -u) != 0 ]] || owner=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups --)

# with <program of PostgreSQL> <arguments>
with() {
    "${owner[@]}" env HOME="$work" LC_ALL=C LD_LIBRARY_PATH="$libraries" "$work/root/usr/lib/postgresql/15/bin/$1" "${@:2}"
}

# shellcheck disable=SC2317 # by the trap
finish() {
    [[ ! -e $work/data/postmaster.pid ]] || with pg_ctl -D "$work/data" -m immediate -w -s stop || true
    rm -rf "$work"
}
trap finish EXIT

cant() {
    echo "can't be tried here: $*" >&2
    exit 2
}

sql() { with psql -XqAt -v ON_ERROR_STOP=1 -h "$work/socket" -U postgres "$@"; }

# partitions <n>: table t with so many.
partitions() {
    sql -c "SET client_min_messages = warning" -c "DROP TABLE IF EXISTS t" -c "CREATE TABLE t (id bigint NOT NULL, at int) PARTITION BY RANGE (id)"
    sql -c "DO \$\$ BEGIN FOR i IN 0..$1 - 1 LOOP
        EXECUTE format('CREATE TABLE t%s PARTITION OF t (PRIMARY KEY (id)) FOR VALUES FROM (%s) TO (%s)', i, i, i + 1);
        IF i % 200 = 199 THEN COMMIT; END IF; END LOOP; END \$\$"
}

# planning <statement>: the median of its planning times in one session, in microseconds; the first, with empty caches, is not counted.
planning() {
    local i args=(-c 'SET jit = off')
    for ((i = 0; i <= ROUNDS; i++)); do args+=(-c "EXPLAIN (SUMMARY, FORMAT json) $1"); done
    sql "${args[@]}" | awk -F': ' '/"Planning Time"/ { if (n++) printf "%d\n", $2 * 1000 }' | sort -n | sed -n "$((ROUNDS / 2 + 1))p"
}

chmod 755 "$work"
mkdir "$work/root" "$work/socket"
packages=("postgresql-15=$SERVER" "postgresql-client-15=$SERVER" "libpq5=$SERVER")
(cd "$work" && apt-get -qq download "${packages[@]}") 2>"$work/apt.log" || cant "$(cat "$work/apt.log")"
for package in "$work"/*.deb; do
    dpkg-deb -x "$package" "$work/root"
done
libraries=$(echo "$work"/root/usr/lib/*-linux-gnu)
[[ ${#owner[@]} == 0 ]] || chown -R nobody "$work"
with initdb -D "$work/data" -U postgres --auth=trust --locale=C --no-sync >"$work/initdb.log" 2>&1 || cant "$(cat "$work/initdb.log")"
with pg_ctl -D "$work/data" -l "$work/log" -w -s start -o \
    "-k $work/socket -c listen_addresses= -c fsync=off -c autovacuum=off -c max_locks_per_transaction=1024"

by_key='SELECT id FROM t ORDER BY id DESC LIMIT 1'
by_other='SELECT id FROM t ORDER BY at DESC LIMIT 1'
count='SELECT count(*) FROM t'
declare -A took=()
for n in "$FEW" "$MANY"; do
    partitions "$n"
    for statement in "$by_key" "$by_other" "$count"; do
        took[$n $statement]=$(planning "$statement")
    done
done
wrong=0
for statement in "$by_key" "$by_other" "$count"; do
    few=${took[$FEW $statement]}
    many=${took[$MANY $statement]}
    echo "$statement: planned in $((few / 1000)) ms with $FEW partitions, $((many / 1000)) ms with $MANY"
    if [[ $statement != "$count" ]]; then
        ((many > 9 * few)) || wrong=1
    else
        ((many < 9 * few)) || wrong=1
    fi
done
exit "$wrong"

#!/bin/bash
# Through PgBouncer with its default configuration, before the source and before the destination: a session of one's own is as good as the
# server's; where it may be another client's, nothing is set in it, and the run is refused by name.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pgbouncer=$(./setup --cache)/pgbouncer
[[ -x $pgbouncer/pgbouncer ]] || bail "no PgBouncer (./setup fetches it)"
pg_start main || bail "no PostgreSQL"
databases
p=$TAP_DIR/p.yaml
# It does not run as root.
chmod 755 "$TAP_DIR"
cp -a "$pgbouncer" "$TAP_DIR/pgbouncer"
src_sql "CREATE TABLE items (id int PRIMARY KEY, at timestamptz, note text);
    INSERT INTO items SELECT i, '2026-03-08 03:00+00', 'note ' || i FROM generate_series(1, 1000) i"
as_nobody=()
[[ $(id -u) != 0 ]] || as_nobody=(setpriv --reuid=nobody --clear-groups --)

# pool <mode>: sets POOL_PORT.
pool() {
    POOL_PORT=$(pg_free_port)
    cat >"$TAP_DIR/pool.ini" <<INI
[databases]
src = host=127.0.0.1 port=$PG_PORT dbname=src user=postgres
dst = host=127.0.0.1 port=$PG_PORT dbname=dst user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $POOL_PORT
unix_socket_dir =
auth_type = any
pool_mode = $1
INI
    chmod 644 "$TAP_DIR/pool.ini"
    "${as_nobody[@]}" "$TAP_DIR/pgbouncer/pgbouncer" --quiet "$TAP_DIR/pool.ini" >"$TAP_DIR/pool.log" 2>&1 &
    POOL_PID=$!
    at_exit kill "$POOL_PID"
    wait_until 10 through src 'SELECT 1' || bail "PgBouncer does not start: $(<"$TAP_DIR/pool.log")"
}
end_pool() {
    kill "$POOL_PID"
    wait "$POOL_PID"
}
# through <database> <query>: as another client of the pool.
through() { "$PG_BIN/psql" -XAtq -h 127.0.0.1 -p "$POOL_PORT" -U postgres -d "$1" -c "$2" 2>/dev/null; }

# by <side> [pooler: session]: the pipeline, with that side behind the pool.
by() {
    local line='pooler: session,'
    [[ ${2:-} ]] || line=
    rm -f "$TAP_DIR"/state.db*
    if [[ $1 == source ]]; then
        SOURCE_PORT=$POOL_PORT SOURCE_CONFIG=$line pipeline "$p"
    else
        DEST_CONFIG=$line pipeline "$p"
        sed -i "/use: dest-postgres/,/config/s/port: $PG_PORT/port: $POOL_PORT/" "$p"
    fi
}

STREAMS='- { name: items }'
pool session
for side in source destination; do
    for write_mode in append replace upsert; do
        what="session, $side, $write_mode"
        by "$side" 'pooler: session'
        run_is 0 "$what: check" "$RAPIDBYTE" check "$p"
        run_is 0 "$what: runs" "$RAPIDBYTE" run "$p"
        same items "$what: identical"
        [[ $write_mode == append ]] || run_is 0 "$what: again" "$RAPIDBYTE" run "$p"
        run_is 0 "$what: verify" "$RAPIDBYTE" verify "$p"
        is "$(pg_sql "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")" 0 "$what: no lock stays"
        dst_sql 'SET client_min_messages = error; DROP SCHEMA raw CASCADE; DROP SCHEMA _rapidbyte CASCADE'
    done
done
end_pool

pool transaction
# A client of the pool before, whose server process we are given.
for database in src dst; do through "$database" 'SELECT 1' >"$TAP_DIR/out"; done
write_mode=append
declare -A refused=([source]=3 [destination]=4)
for side in source destination; do
    by "$side"
    for command in check run; do
        run "$RAPIDBYTE" "$command" "$p"
        is "$status" "${refused[$side]}" "transaction, $side: $command refuses" || diag "$stderr"
        like "$stdout$stderr" 'a pooler \(PgBouncer or its like\) is between' "transaction, $side: $command says why"
        like "$stdout$stderr" 'pooler: session' "transaction, $side: $command says what to do"
    done
    is "$(dst_sql "SELECT to_regclass('raw.items')")" '' "transaction, $side: no row has moved"
done
for database in src dst; do
    is "$(through "$database" "SHOW search_path")|$(through "$database" "SHOW lock_timeout")" '"$user", public|0' "transaction, $database: nothing of ours is left in the pool's session"
done
end_pool
done_testing

#!/bin/bash
# Through PgBouncer with its default configuration, before the source and before the destination: by session and by transaction runs are as
# exact as on the server itself, and leave nothing of theirs in a session that another client gets; by statement they are refused.
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

# pool <mode>: sets POOL_PORT. POOL_ROLE: of its sessions; POOL_SETTINGS: lines for its configuration.
pool() {
    POOL_PORT=$(pg_free_port)
    cat >"$TAP_DIR/pool.ini" <<INI
[databases]
src = host=127.0.0.1 port=$PG_PORT dbname=src user=${POOL_ROLE:-postgres}
dst = host=127.0.0.1 port=$PG_PORT dbname=dst user=${POOL_ROLE:-postgres}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $POOL_PORT
unix_socket_dir =
auth_type = any
pool_mode = $1
${POOL_SETTINGS:-}
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

# by <side> [line]: the pipeline, with that side behind the pool.
by() {
    local line=${2:+$2,}
    rm -f "$TAP_DIR"/state.db*
    if [[ $1 == source ]]; then
        SOURCE_PORT=$POOL_PORT SOURCE_CONFIG=$line pipeline "$p"
    else
        DEST_CONFIG=$line pipeline "$p"
        sed -i "/use: dest-postgres/,/config/s/port: $PG_PORT/port: $POOL_PORT/" "$p"
    fi
}

# left: what of ours the pool's sessions hold: locks, prepared statements, settings, functions, temporary tables. As many clients at once as
# may have been given a session of their own.
LEFT="SELECT 'prepared ' || name FROM pg_prepared_statements;
    SELECT 'set ' || name || setting FROM pg_settings WHERE source = 'session' AND name NOT IN ('application_name', 'client_encoding');
    SELECT pg_sleep(0.3)"
left() {
    local database i pids=()
    pg_sql "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    for database in src dst; do
        for ((i = 0; i < 6; i++)); do
            through "$database" "$LEFT" >"$TAP_DIR/left.$database.$i" &
            pids+=($!)
        done
        PG_DATABASE=$database pg_sql "SELECT 'function ' || proname FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname LIKE 'pg\_temp%'
            UNION ALL SELECT 'table ' || relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname LIKE 'pg\_temp%'"
    done
    wait "${pids[@]}"
    sort -u "$TAP_DIR"/left.*.* | grep -v '^$'
}

STREAMS='- { name: items }'
for mode in session transaction; do
    pool "$mode"
    # A client of the pool before, whose server process we are given.
    for database in src dst; do through "$database" 'SELECT 1' >"$TAP_DIR/out"; done
    for side in source destination; do
        for write_mode in append replace upsert; do
            for load_method in copy insert; do
                what="$mode, $side, $write_mode by $load_method"
                by "$side"
                run_is 0 "$what: check" "$RAPIDBYTE" check "$p"
                run_is 0 "$what: runs" "$RAPIDBYTE" run "$p"
                same items "$what: identical"
                [[ $write_mode == append ]] || run_is 0 "$what: again" "$RAPIDBYTE" run "$p"
                run_is 0 "$what: verify" "$RAPIDBYTE" verify "$p"
                is "$(left)" 0 "$what: nothing of ours is left in the pool's sessions"
                dst_sql 'SET client_min_messages = error; DROP SCHEMA raw CASCADE; DROP SCHEMA _rapidbyte CASCADE'
            done
        done
    done
    end_pool
done

# What is in between may be said.
for mode in session transaction; do
    pool "$mode"
    for side in source destination; do
        by "$side" "pooler: $mode"
        run_is 0 "pooler: $mode, $side: runs" "$RAPIDBYTE" run "$p"
        same items "pooler: $mode, $side: identical"
        is "$(left)" 0 "pooler: $mode, $side: nothing of ours is left in the pool's sessions"
        dst_sql 'SET client_min_messages = error; DROP SCHEMA raw CASCADE; DROP SCHEMA _rapidbyte CASCADE'
    done
    end_pool
done

# What other clients of a pool by transaction have left in its sessions, and what the role has set, does not reach ours; nor does theirs suffer.
pool transaction
src_sql "CREATE TABLE days (id int PRIMARY KEY, at timestamptz, price money, name text);
    INSERT INTO days SELECT i, '2026-03-08 03:00+00'::timestamptz + i * interval '1 hour', i::money, 'n' || i FROM generate_series(1, 50) i;
    CREATE TYPE pair AS (a float8, b text); CREATE TABLE pairs AS SELECT i AS id, (0.1 + i * 0.2, 'b')::pair AS p FROM generate_series(1, 10) i;
    CREATE VIEW by_day AS SELECT at::date AS day, count(*) AS n FROM days GROUP BY 1;
    CREATE TABLE codes (id int PRIMARY KEY, code bigint); INSERT INTO codes SELECT i, i FROM generate_series(1, 100) i"
dst_sql "CREATE SCHEMA raw; CREATE TABLE raw.codes (id int PRIMARY KEY, code int);
    CREATE TABLE raw.items (id int PRIMARY KEY, at timestamptz, note text);
    CREATE TABLE raw.audit (day date); CREATE FUNCTION raw.audited() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO audit VALUES (NEW.at::date); RETURN NEW; END'; CREATE TRIGGER audited AFTER INSERT ON raw.items FOR EACH ROW EXECUTE FUNCTION raw.audited()"
pg_sql "ALTER DATABASE src SET TimeZone = 'America/New_York'; ALTER DATABASE dst SET TimeZone = 'America/New_York';
    ALTER DATABASE dst SET search_path = raw; ALTER DATABASE src SET DateStyle = 'German'"
STREAMS='- { name: items }
- { name: by_day, write_mode: replace }
- { name: pairs, write_mode: replace }
- { name: codes }'
DEST_EXTRA='schema_evolution: { type_change: coerce }'
for side in source destination; do
    for load_method in copy insert; do
        what="sessions used by others, $side, $load_method"
        for database in src dst; do
            for i in 1 2 3; do
                through "$database" "SET search_path = pg_catalog; SET extra_float_digits = -5; SET standard_conforming_strings = off; SELECT pg_sleep(0.3)" >"$TAP_DIR/out" &
            done
        done
        sleep 0.5
        dst_sql 'TRUNCATE raw.items, raw.audit, raw.codes; SET client_min_messages = error; DROP TABLE IF EXISTS raw.by_day; DROP SCHEMA IF EXISTS _rapidbyte CASCADE'
        write_mode=append by "$side"
        run_is 0 "$what: runs" "$RAPIDBYTE" run "$p"
        same items "$what: items"
        same pairs "$what: floats in a composite"
        same codes "$what: coerced by a function of ours"
        is "$(dst_sql 'SELECT string_agg((day - DATE $$2026-01-01$$) || chr(32) || n, chr(44) ORDER BY day) FROM raw.by_day')" \
            "$(src_sql 'SELECT string_agg((day - DATE $$2026-01-01$$) || chr(32) || n, chr(44) ORDER BY day) FROM by_day')" "$what: a view's days are the role's"
        is "$(dst_sql 'SELECT min(day) FROM raw.audit')" 2026-03-07 "$what: a trigger's day is the role's"
        is "$(through dst 'SHOW extra_float_digits')" -5 "$what: the other clients find what they left"
    done
done
pg_sql "ALTER DATABASE src RESET ALL; ALTER DATABASE dst RESET ALL"
dst_sql 'SET client_min_messages = error; DROP SCHEMA raw CASCADE; DROP SCHEMA _rapidbyte CASCADE'
end_pool
DEST_EXTRA=

# Two runs of a pipeline, and one that is killed.
pool transaction
src_sql 'CREATE TABLE many AS SELECT i AS id, repeat(md5(i::text), 8) AS note FROM generate_series(1, 400000) i'
STREAMS='- { name: many }'
write_mode=append load_method=copy
by destination
"$RAPIDBYTE" run "$p" >"$TAP_DIR/first" 2>&1 &
first=$!
# shellcheck disable=SC2317 # wait_until calls it
writing() { [[ $(pg_sql "SELECT count(*) FROM pg_stat_progress_copy WHERE datname = 'dst'") != 0 ]]; }
wait_until 60 writing
cp "$p" "$TAP_DIR/second.yaml"
sed -i "s|state.db|second.db|" "$TAP_DIR/second.yaml"
run "$RAPIDBYTE" run "$TAP_DIR/second.yaml"
is "$status" 7 "another run of the pipeline is refused while one runs" || diag "$stdout$stderr"
kill -KILL "$first"
wait "$first"
run_is 0 "after a kill: runs" "$RAPIDBYTE" run "$p"
is "$(dst_sql 'SELECT count(*), count(DISTINCT id) FROM raw.many')" '400000|400000' "after a kill: each row once"
is "$(left)" 0 "after a kill: nothing of ours is left in the pool's sessions"

# All of the destination's sessions are lost, the lock's among them.
dst_sql 'TRUNCATE raw.many'
"$RAPIDBYTE" run --new "$p" >"$TAP_DIR/first" 2>&1 &
first=$!
wait_until 60 writing
pg_sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'dst'" >"$TAP_DIR/out"
wait "$first"
is $? 0 "sessions lost: runs" || diag "$(<"$TAP_DIR/first")"
like "$(<"$TAP_DIR/first")" 'no other run has begun, and the lock is taken again' "sessions lost: the lock is taken again"
is "$(dst_sql 'SELECT count(*), count(DISTINCT id) FROM raw.many')" '400000|400000' "sessions lost: each row once"
is "$(left)" 0 "sessions lost: nothing of ours is left in the pool's sessions"
dst_sql 'SET client_min_messages = error; DROP SCHEMA raw CASCADE; DROP SCHEMA _rapidbyte CASCADE'
end_pool

# Rows that a policy would hide are refused, not left out.
src_sql "CREATE ROLE limited LOGIN; CREATE TABLE secret AS SELECT i AS id FROM generate_series(1, 10) i; ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
    CREATE POLICY half ON secret USING (id <= 5); CREATE VIEW shown AS SELECT * FROM secret; ALTER VIEW shown OWNER TO limited; GRANT SELECT ON secret, shown TO limited"
POOL_ROLE=limited pool transaction
STREAMS='- { name: shown }'
by source
run "$RAPIDBYTE" run "$p"
is "$status" 3 "row security: refused" || diag "$stdout$stderr"
like "$stderr" 'row-level security|row security' "row security: says so"
end_pool

# One session for all is not enough: a run needs another beside the one that keeps the lock.
POOL_SETTINGS=$'default_pool_size = 1\nquery_wait_timeout = 1' pool transaction
STREAMS='- { name: items }'
by destination
run "$RAPIDBYTE" run "$p"
is "$status" 4 "a pool of one session: refused" || diag "$stdout$stderr"
like "$stderr" 'one more than .parallelism. on each side .PgBouncer: default_pool_size' "a pool of one session: says how many it takes"
end_pool

# By statement there are no transactions.
pool statement
STREAMS='- { name: items }'
for database in src dst; do through "$database" 'SELECT 1' >"$TAP_DIR/out"; done
declare -A refused=([source]=3 [destination]=4)
for side in source destination; do
    by "$side"
    for command in check run; do
        run "$RAPIDBYTE" "$command" "$p"
        is "$status" "${refused[$side]}" "statement, $side: $command refuses" || diag "$stderr"
        like "$stdout$stderr" 'does not take a transaction: .*statement pooling' "statement, $side: $command says why"
        like "$stdout$stderr" 'pool by transaction or by session' "statement, $side: $command says what to do"
        unlike "$stdout$stderr" 'attempt' "statement, $side: $command does not try again"
    done
    is "$(dst_sql "SELECT to_regclass('raw.items')")" '' "statement, $side: no row has moved"
done
end_pool
done_testing

#!/bin/bash
# SQL of the user means what it means in psql: a view, a `where`, functions behind them, at the source; triggers, checks, defaults and
# generated columns at the destination. And values don't depend on anybody's settings.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pg_start main || bail "no PostgreSQL"
databases
p=$TAP_DIR/p.yaml

# plain <function> <query>: under settings that nobody has changed, whatever the role's are.
PLAIN='-c search_path=public -c timezone=UTC -c datestyle=ISO,MDY -c intervalstyle=postgres -c extra_float_digits=3 -c bytea_output=hex
 -c lc_monetary=C -c array_nulls=on -c xmloption=content -c quote_all_identifiers=off -c standard_conforming_strings=on -c row_security=on'
plain() { PGOPTIONS=${PLAIN//$'\n'/} "$@"; }
# anew: both schemas of the destination are dropped, the state too.
anew() {
    plain dst_sql 'SET client_min_messages = error; DROP SCHEMA IF EXISTS raw CASCADE; DROP SCHEMA IF EXISTS _rapidbyte CASCADE'
    rm -f "$TAP_DIR"/state.db*
}
load() {
    pipeline "$p"
    run_is 0 "$1: runs" "$RAPIDBYTE" run "$p"
}

# ---- the source

pg_sql "ALTER DATABASE src SET timezone = 'America/New_York'"
dst_sql 'CREATE EXTENSION citext'
src_sql "CREATE EXTENSION citext;
    CREATE TABLE people (id int PRIMARY KEY, email citext);
    INSERT INTO people VALUES (1, 'Ann@Example.org'), (2, 'ann@example.org'), (3, 'bob@example.org');
    CREATE FUNCTION same(a citext, b citext) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RETURN a = b; END';
    CREATE VIEW alike AS SELECT p.id, same(p.email, 'ann@example.org') AS alike FROM people p;
    CREATE TABLE events (id int PRIMARY KEY, created_at timestamptz);
    INSERT INTO events SELECT i, '2026-03-07 00:00+00'::timestamptz + i * interval '1 hour' FROM generate_series(1, 72) i;
    CREATE VIEW days AS SELECT created_at::date AS day, count(*) AS n FROM events GROUP BY 1;
    CREATE TABLE orders (id int PRIMARY KEY);
    INSERT INTO orders VALUES (1), (2);
    CREATE FUNCTION label(int) RETURNS text LANGUAGE sql STABLE AS 'SELECT ''o'' || id FROM orders WHERE id = \$1';
    CREATE VIEW labels AS SELECT id, label(id) AS label FROM orders" || bail "no tables"

STREAMS="- { name: people, where: \"email = 'ann@example.org'\" }
- { name: alike }
- { name: days }
- { name: events, where: \"created_at >= '2026-03-08' AND created_at < '2026-03-09'\" }
- { name: orders, where: \"label(id) = 'o1'\" }
- { name: labels }" load "source"
is "$(dst_sql 'SELECT count(*) FROM raw.people')" 2 "a where on citext finds what psql finds"
is "$(dst_sql 'SELECT string_agg(alike::text, $$,$$ ORDER BY id) FROM raw.alike')" 'true,true,false' "a function behind a view compares as in psql"
is "$(dst_sql 'SELECT * FROM raw.days ORDER BY 1')" "$(src_sql 'SELECT * FROM days ORDER BY 1')" "a view's days are those of the role's time zone"
is "$(dst_sql 'SELECT count(*) FROM raw.events')" "$(src_sql "SELECT count(*) FROM events WHERE created_at >= '2026-03-08' AND created_at < '2026-03-09'")" "so are a where's"
is "$(dst_sql 'SELECT string_agg(label, $$,$$ ORDER BY id) FROM raw.labels')" 'o1,o2' "a function that names a table without its schema"
is "$(dst_sql 'SELECT id FROM raw.orders')" 1 "so does a where that calls it"
run_is 0 "verify sees the same" "$RAPIDBYTE" verify "$p"
run_is 0 "check does, too" "$RAPIDBYTE" check "$p"

# What a role may have set, one at a time; values beside SQL of the user, and without it, in every form.
HOSTILE="search_path = evil, pg_catalog
DateStyle = 'SQL, DMY'
DateStyle = 'German'
IntervalStyle = 'sql_standard'
TimeZone = 'Asia/Kolkata'
extra_float_digits = -10
bytea_output = 'escape'
array_nulls = off
xmloption = 'document'
quote_all_identifiers = on
standard_conforming_strings = off
row_security = off
plan_cache_mode = 'force_custom_plan'
default_transaction_isolation = 'serializable'"
src_sql "CREATE SCHEMA evil;
    CREATE FUNCTION evil.less(bigint, bigint) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true';
    CREATE OPERATOR evil.> (FUNCTION = evil.less, LEFTARG = bigint, RIGHTARG = bigint);
    CREATE OPERATOR evil.>= (FUNCTION = evil.less, LEFTARG = bigint, RIGHTARG = bigint);
    CREATE FUNCTION evil.count(\"any\") RETURNS bigint LANGUAGE internal AS 'int8abs'" 2>/dev/null
dst_sql 'CREATE TABLE target ()'
src_sql "CREATE TABLE target ();
    CREATE TYPE place AS (at timestamptz, d date, span interval, x float8, b bytea, a text[]);
    CREATE TYPE rng AS RANGE (subtype = float8);
    CREATE TYPE pointer AS (target regclass, at date);
    CREATE TABLE kept (id bigint PRIMARY KEY, \"TimeZone\" text, bool bool, points regclass, pointer pointer, place place, rng rng, places place[], x float8, d date, span interval, b bytea, t text);
    INSERT INTO kept SELECT i, 'a zone', true, 'target', ROW('target', '2026-03-04')::pointer, p, rng(0.1, 0.1 + 0.2), ARRAY[p, NULL], 0.1 + 0.2, '2026-03-04', '-1 day +02:03:04', '\\x00ff5c', E'back\\\\slash ''quote'''
        FROM generate_series(1, 5) i, LATERAL (SELECT ROW('2026-03-04 05:06:07+00', '2026-03-04', '-1 day +02:03:04', 0.1 + 0.2, '\\x00ff5c', ARRAY['NULL', NULL])::place AS p) q;
    CREATE VIEW shown AS SELECT * FROM kept;
    CREATE TABLE chosen AS SELECT * FROM kept;
    CREATE TABLE textual (id bigint PRIMARY KEY, at timestamptz NOT NULL, note text);
    INSERT INTO textual SELECT i, '2026-03-04 05:06:07+00'::timestamptz + i * interval '1 day', E'n\\\\' || i FROM generate_series(1, 5) i"
columns='id, "TimeZone", bool, points::text, pointer::text, place::text, rng::text, places::text, x, d, span, b, t'
kept=$(plain src_sql "SELECT $columns FROM kept ORDER BY id")
while read -r setting; do
    anew
    for where in 'copy src' 'copy dst' 'insert dst'; do
        read -r load_method side <<<"$where"
        anew
        plain src_sql "ALTER ROLE postgres IN DATABASE $side SET $setting"
        STREAMS='- { name: kept }
- { name: shown }
- { name: chosen, where: "id > 0" }
- { name: textual, sync_mode: incremental, cursor_field: at, write_mode: append }'
        write_mode=replace load "$setting, $where"
        for table in kept shown chosen; do
            is "$(plain dst_sql "SELECT $columns FROM raw.$table ORDER BY id")" "$kept" "$setting, $where: $table is identical"
        done
        plain src_sql "INSERT INTO textual SELECT max(id) + 1, max(at) + interval '1 hour', 'new' FROM textual"
        run_is 0 "$setting, $where: an incremental run goes on" "$RAPIDBYTE" run "$p"
        is "$(plain dst_sql 'SELECT * FROM raw.textual ORDER BY id')" "$(plain src_sql 'SELECT * FROM textual ORDER BY id')" "$setting, $where: from its cursor"
        run_is 0 "$setting, $where: verify says so" "$RAPIDBYTE" verify "$p"
        plain src_sql "ALTER ROLE postgres IN DATABASE $side RESET ALL"
    done
done <<<"$HOSTILE"

# ---- the destination

pg_sql "ALTER DATABASE dst SET timezone = 'America/New_York'"
src_sql "CREATE TABLE parts (id int PRIMARY KEY, at timestamptz, code text, note text);
    INSERT INTO parts VALUES (1, '2026-03-08 03:00+00', 'Abc', 'n'), (2, '2026-03-09 12:00+00', 'x', 'n')"
# What the user made at the destination: a trigger that writes into a table without its schema's name, a check over a function that
# reads one, a default, a generated column over citext, a domain's check, and a statement trigger of TRUNCATE.
make_target() {
    anew
    plain dst_sql "SET client_min_messages = error;
        DROP TABLE IF EXISTS audit_log, allowed CASCADE; DROP DOMAIN IF EXISTS noted CASCADE; DROP FUNCTION IF EXISTS permitted, audit, kept_note, emptied CASCADE;
        CREATE TABLE audit_log (day date, id int); CREATE TABLE allowed (id int); INSERT INTO allowed VALUES (1), (2);
        CREATE FUNCTION permitted(int) RETURNS bool LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM allowed a WHERE a.id = \$1)';
        CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO audit_log VALUES (NEW.at::date, NEW.id); RETURN NEW; END';
        CREATE FUNCTION emptied() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO audit_log VALUES (NULL, -1); RETURN NULL; END';
        CREATE FUNCTION kept_note(text) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM FROM allowed; RETURN true; END';
        CREATE DOMAIN noted AS text CHECK (kept_note(VALUE));
        CREATE SCHEMA raw;
        CREATE TABLE raw.parts (id int PRIMARY KEY CHECK (permitted(id)), at timestamptz, code text, note ${1:-text CHECK (kept_note(note))},
            day date DEFAULT (TIMESTAMPTZ '2026-03-08 03:00+00')::date, same bool GENERATED ALWAYS AS (code::citext = 'abc') STORED);
        CREATE TRIGGER audit BEFORE INSERT ON raw.parts FOR EACH ROW EXECUTE FUNCTION audit();
        CREATE TRIGGER emptied AFTER TRUNCATE ON raw.parts EXECUTE FUNCTION emptied()"
}
for load_method in copy insert; do
    for mode in append upsert truncate; do
        case $mode in upsert) make_target noted ;; *) make_target ;; esac
        method=
        [[ $mode != truncate ]] || method=', replace_method: truncate'
        what="destination, $mode, $load_method"
        DEST_EXTRA='schema_evolution: { type_change: coerce }' STREAMS="- { name: parts, write_mode: ${mode/truncate/replace}$method }" load "$what"
        is "$(plain dst_sql 'SELECT string_agg(same::text, $$,$$ ORDER BY id) FROM raw.parts')" 'true,false' "$what: a generated column compares as in psql"
        is "$(plain dst_sql 'SELECT string_agg(day::text, $$,$$ ORDER BY id) FROM audit_log WHERE id > 0')" '2026-03-07,2026-03-09' "$what: a trigger's day is that of the role's time zone"
        is "$(plain dst_sql 'SELECT DISTINCT day FROM raw.parts')" '2026-03-07' "$what: so is a default's"
        [[ $mode != truncate ]] || is "$(plain dst_sql 'SELECT count(*) FROM audit_log WHERE id = -1')" 1 "$what: TRUNCATE's trigger finds its table"
    done
    # A key of citext: which rows are the same is the key's to say.
    anew
    plain dst_sql 'CREATE SCHEMA raw; CREATE TABLE raw.codes (code citext PRIMARY KEY, n int)'
    plain src_sql 'SET client_min_messages = error; DROP TABLE IF EXISTS codes; CREATE TABLE codes (code text PRIMARY KEY, n int)'
    plain src_sql "INSERT INTO codes VALUES ('A', 1), ('b', 2)"
    DEST_EXTRA='schema_evolution: { type_change: coerce }' STREAMS="- { name: codes, primary_key: [code], write_mode: upsert }" load "upsert into citext, $load_method"
    plain src_sql "UPDATE codes SET code = lower(code), n = n + 10; INSERT INTO codes VALUES ('B', 3)"
    run_is 0 "upsert into citext, $load_method: again" "$RAPIDBYTE" run "$p"
    is "$(plain dst_sql 'SELECT count(*), sum((n > 2)::int) FROM raw.codes')" '2|2' "upsert into citext, $load_method: keys that are the same there are one row"
done

# Values that a user's cast would change.
pg_sql 'ALTER DATABASE dst RESET timezone'
plain src_sql "CREATE TYPE span AS RANGE (subtype = float8);
    CREATE FUNCTION span_text(span) RETURNS text LANGUAGE sql IMMUTABLE AS \$\$SELECT '[' || lower(\$1) || ',' || upper(\$1) || ')'\$\$;
    CREATE CAST (span AS text) WITH FUNCTION span_text(span) AS ASSIGNMENT;
    CREATE TYPE pair AS (a int, b text);
    CREATE FUNCTION pair_text(pair) RETURNS text LANGUAGE sql IMMUTABLE AS \$\$SELECT 'none'\$\$;
    CREATE CAST (pair AS text) WITH FUNCTION pair_text(pair) AS IMPLICIT;
    CREATE DOMAIN one_span AS span;
    CREATE TABLE casts (id int PRIMARY KEY, s span, p pair, d one_span, many span[]);
    INSERT INTO casts VALUES (1, '[1,2]', '(1,x)', '(1,2)', ARRAY['(1,2)'::span, '[1,)']), (2, '(1,2)', '(,)', '[1,)', NULL), (3, '[1,)', NULL, NULL, '{}');
    CREATE VIEW cast_view AS SELECT * FROM casts"
shown="SELECT id, format('%s', s), num_nulls(p), format('%s', p), format('%s', d), format('%s', many) FROM"
expected=$(plain src_sql "$shown casts ORDER BY id")
STREAMS='- { name: casts }
- { name: cast_view }'
for load_method in copy insert; do
    anew
    plain dst_sql 'SET client_min_messages = error; DROP TYPE IF EXISTS span CASCADE; DROP TYPE IF EXISTS pair CASCADE'
    load "casts to text, $load_method"
    is "$(plain dst_sql "$shown raw.casts ORDER BY id")" "$expected" "casts to text, $load_method: identical"
    is "$(plain dst_sql "$shown raw.cast_view ORDER BY id")" "$expected" "casts to text, $load_method: of a view"
    # And one at the destination, from text.
    plain dst_sql "SET client_min_messages = error; CREATE FUNCTION raw.span_in(text) RETURNS raw.span LANGUAGE sql IMMUTABLE AS 'SELECT raw.span(0, 0)';
        CREATE CAST (text AS raw.span) WITH FUNCTION raw.span_in(text) AS ASSIGNMENT; TRUNCATE raw.casts, raw.cast_view"
    run_is 0 "a cast from text, $load_method: runs" "$RAPIDBYTE" run "$p"
    is "$(plain dst_sql "$shown raw.casts ORDER BY id")" "$expected" "a cast from text, $load_method: identical"
done
done_testing

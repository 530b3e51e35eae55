#!/bin/bash
# Streams by pattern: what matches, what is left out, and what is refused.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pg_start main || bail "no PostgreSQL"
databases
src_sql "CREATE SCHEMA sales; CREATE SCHEMA empty; CREATE SCHEMA \"Odd Schema\";
    CREATE TABLE public.users AS SELECT i AS id, 'u' || i AS name FROM generate_series(1, 5) i;
    CREATE TABLE public.orders AS SELECT i AS id, now() + i * interval '1 s' AS at FROM generate_series(1, 7) i;
    CREATE TABLE public.log_a AS SELECT i AS id FROM generate_series(1, 3) i;
    CREATE TABLE public.log_b AS SELECT i AS id FROM generate_series(1, 4) i;
    CREATE TABLE public.audit_x (id int); INSERT INTO public.audit_x VALUES (1);
    CREATE TABLE public.\"Größe.*\" AS SELECT 1 AS id;
    CREATE TABLE public.parted (id int) PARTITION BY RANGE (id);
    CREATE TABLE public.parted_1 PARTITION OF public.parted FOR VALUES FROM (0) TO (10);
    INSERT INTO public.parted VALUES (1), (2);
    CREATE VIEW public.a_view AS SELECT * FROM public.users;
    CREATE MATERIALIZED VIEW public.a_matview AS SELECT * FROM public.users;
    CREATE TABLE sales.leads AS SELECT i AS id FROM generate_series(1, 6) i;
    CREATE TABLE sales.tmp_x (id int);
    CREATE VIEW sales.only_view AS SELECT 1 AS id;
    CREATE TABLE \"Odd Schema\".odd AS SELECT 1 AS id"
p=$TAP_DIR/p.yaml

reset() {
    dst_sql 'DROP SCHEMA IF EXISTS raw CASCADE; DROP SCHEMA IF EXISTS _rapidbyte CASCADE' 2>/dev/null
    rm -f "$TAP_DIR"/state.db*
}

# tables: those that arrived.
tables() {
    dst_sql "SELECT string_agg(relname, ' ' ORDER BY relname COLLATE \"C\") FROM pg_class WHERE relnamespace = 'raw'::regnamespace AND relkind = 'r'"
}

# members <key>: of each stream of the report on stdout.
members() {
    python3 -c 'import json,sys; print(" ".join(str(s[sys.argv[2]]) for s in json.loads(sys.argv[1])["streams"]))' "$stdout" "$1"
}

# loads <name> <tables> <YAML>…: the streams' lines, what arrives.
loads() {
    local name=$1 expected=$2
    reset
    STREAMS=$3 pipeline "$p"
    run_is 0 "$name: run" "$RAPIDBYTE" run "$p" --output json
    is "$(tables)" "$expected" "$name: tables"
}

loads '"*"' "Größe.* audit_x log_a log_b orders parted users" '- "*"'
for table in users orders parted; do
    same "$table" "\"*\": $table"
done
is "$(dst_sql 'SELECT count(*) FROM raw.parted')" 2 "a partitioned table is one stream, once"
loads "exclusions" "log_a orders users" '- "!audit_*"
- "*"
- "!log_b"
- "!p*"
- "!*.Gr*"'
loads "another schema" "leads tmp_x" '- "sales.*"'
is "$(content dst_sql raw.leads)" "$(content src_sql sales.leads)" "another schema: identical"
loads "a schema with a name to quote" "odd" '- "Odd Schema.*"'
loads "exclusions by schema" "leads log_a log_b" '- "log_*"
- "sales.*"
- "!sales.tmp_*"
- "!tmp_none"'
loads "an exclusion without a schema is of the configured one" "leads log_b tmp_x" '- "log_*"
- "sales.*"
- "!tmp_*"
- "!log_a"'
loads "an exclusion of every schema" "leads log_b" '- "log_*"
- "sales.*"
- "!*.tmp_*"
- "!*.log_a"'
loads "one character" "log_a log_b" '- "log_?"'
loads "one character of several bytes" "Größe.*" '- "Gr??e*"'
loads "the configured schema by name is that schema" "log_a log_b orders users" '- "public.log_*"
- "*s"'
loads "views" "a_matview a_view audit_x" '- { match: "a*", include_views: true }'

# A named stream wins; patterns keep their place and their own settings.
loads "named and patterns" "clients log_a log_b orders" '- { match: "log_*", write_mode: replace }
- { name: orders, sync_mode: incremental, cursor_field: at }
- { name: clients, table: users }
- "*"
- "!audit_*"
- "!pa*"
- "!*.Gr*"'
is "$(members name)" "log_a log_b orders clients" "named and patterns: in the order of the document, each table once"
is "$(members write_mode)" "replace replace append append" "named and patterns: a pattern's settings are its own"
is "$(members sync_mode)" "full_refresh full_refresh incremental full_refresh" "named and patterns: a named stream's settings win"
run_is 0 "named and patterns: again" "$RAPIDBYTE" run "$p" --output json
is "$(members records_written)" "3 4 0 5" "named and patterns: incremental goes on"
run_is 0 "--streams chooses among what patterns match" "$RAPIDBYTE" run "$p" --streams log_b --output json
is "$(members name)" "log_b" "--streams: that one alone"
run_is 2 "--streams: one that nothing matches" "$RAPIDBYTE" run "$p" --streams log_zzz
like "$stderr" "no stream 'log_zzz'" "--streams: named"
src_sql 'CREATE TABLE public.log_c AS SELECT 1 AS id'
run_is 0 "a table that is new" "$RAPIDBYTE" run "$p"
same log_c "a table that is new arrives with the next run"

run_is 0 "check" "$RAPIDBYTE" check "$p"
like "$stdout" "^ok +patterns: .*5 streams" "check: how many streams"
like "$stdout" "^ok +stream log_c: can be read" "check: each of them"
run_is 0 "discover --output yaml with patterns in the document" "$RAPIDBYTE" discover "$p" --output yaml
like "$stdout" "- name: log_a" "discover: lists"
run_is 0 "discover --output json" "$RAPIDBYTE" discover "$p" --output json
is "$(python3 -c 'import json,sys; print({s["namespace"] for s in json.loads(sys.argv[1])["streams"]})' "$stdout")" "{'public'}" "discover: the schema's name"

# incremental by a pattern, and upsert.
src_sql 'CREATE TABLE sales.inc_a (id int PRIMARY KEY); INSERT INTO sales.inc_a SELECT generate_series(1, 3); CREATE TABLE sales.inc_b (id int PRIMARY KEY); INSERT INTO sales.inc_b VALUES (1)'
loads "incremental by a pattern" "inc_a inc_b" '- { match: "sales.inc_*", sync_mode: incremental, cursor_field: id, write_mode: upsert }'
src_sql 'INSERT INTO sales.inc_a VALUES (9)'
run_is 0 "incremental by a pattern: again" "$RAPIDBYTE" run "$p" --output json
is "$(members records_written)" "1 0" "incremental by a pattern: what is new"

# refused <code> <name> <YAML> <message>
refused() {
    reset
    STREAMS=$3 pipeline "$p"
    run_is "$1" "$2" "$RAPIDBYTE" run "$p"
    like "$stderr" "$4" "$2: says what"
    is "$(dst_sql "SELECT to_regnamespace('raw') IS NULL OR NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace('raw') AND relkind = 'r')")" t "$2: nothing was written"
}
refused 2 "nothing matches" '- "nope_*"' "p.yaml:[0-9]+:[0-9]+: pattern 'nope_\*' matches no table of the configured schema"
refused 2 "an empty schema" '- "empty.*"' "matches no table of schema 'empty'"
refused 2 "a schema that is not there" '- "nowhere.*"' "matches no table of schema 'nowhere'"
refused 2 "all that matches is excluded" '- "log_*"
- "!log*"' "that is not excluded"
refused 2 "views alone" '- "sales.only*"' "matches no table"
like "$stderr" "include_views: true" "views alone: says how"
src_sql 'CREATE TABLE sales.users (id int)'
refused 2 "one name from two schemas" '- "*"
- "sales.*"' "stream 'users' would be two tables"
like "$stderr" "destination_table" "one name from two schemas: says what to do"
refused 2 "a name that a pattern meets" '- { name: users, schema: sales }
- "*"' "stream 'users' would be two tables"
refused 2 "one target" '- { name: other, table: orders, destination_table: users, write_mode: replace }
- "u*"' "replace the same table 'users'"
STREAMS='- "log_*"
- "nope_*"' pipeline "$p"
run_is 2 "check: nothing matches" "$RAPIDBYTE" check "$p"
like "$stdout" "^FAILED +patterns: .*'nope_\*'" "check: which pattern"
loads "two schemas, one of them named otherwise" "leads other_users users" '- "users"
- "sales.*"
- "!*.tmp*"
- "!*.inc*"
- { name: other_users, schema: sales, table: users }'
done_testing

#!/bin/bash
# Servers that speak another language than English: a message of ours has the same parts.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"

languages=(de_DE ko_KR ja_JP zh_TW)
export LOCPATH=$TAP_DIR/locales
mkdir "$LOCPATH"
for language in "${languages[@]}"; do
    localedef --inputfile="$language" --charmap=UTF-8 "$LOCPATH/$language.UTF-8" 2>"$TAP_DIR/localedef" ||
        bail "localedef $language: $(<"$TAP_DIR/localedef") (./setup installs the package locales)"
done
chmod -R a+rX "$TAP_DIR"
pg_start main || bail "no PostgreSQL"
databases
RUN_TIMEOUT_S=300 # connectors may have to be compiled first
p=$TAP_DIR/p.yaml
STREAMS='- { name: users }' pipeline "$p"

# fresh <bad name's row> <bad "5 users"' row> <constraint>: what the source's domain takes, the destination's refuses.
fresh() {
    src_sql "SET client_min_messages = error; DROP TABLE IF EXISTS users; DROP DOMAIN IF EXISTS judged; DROP FUNCTION IF EXISTS fine;
        CREATE FUNCTION fine(text) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT true'; CREATE DOMAIN judged AS text CHECK (fine(VALUE));
        CREATE TABLE users (id integer PRIMARY KEY, name judged, \"5 users\" judged);
        INSERT INTO users SELECT g, CASE g WHEN $1 THEN 'bad' ELSE 'good' END, CASE g WHEN $2 THEN 'bad' ELSE 'good' END FROM generate_series(1, 20) g"
    dst_sql "SET client_min_messages = error; DROP SCHEMA IF EXISTS raw CASCADE; DROP SCHEMA IF EXISTS _rapidbyte CASCADE; CREATE SCHEMA raw;
        CREATE FUNCTION raw.fine(text) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT \$1 <> ''bad'''; CREATE DOMAIN raw.judged AS text CHECK (raw.fine(VALUE));
        CREATE TABLE raw.users (id integer PRIMARY KEY, name raw.judged, \"5 users\" raw.judged, CHECK ($3))"
    rm -f "$TAP_DIR"/state.db*
}

# refused <what> <what the message has>
refused() {
    run_is 5 "$language: $1" "$RAPIDBYTE" run "$p"
    like "$stderr" "^error: stream 'users': row $2: " "$language: $1: the row, its key and the column"
}

for language in C "${languages[@]/%/.UTF-8}"; do
    dst_sql "ALTER DATABASE dst SET lc_messages = '$language'"
    said=$(dst_sql 'SELEC' 2>&1)
    if [[ $language != C && $said == *"syntax error"* ]]; then
        skip "this server has no translation into $language" 6
        continue
    fi
    fresh 7 0 true
    refused "a value" '7 \(id = 7\), column "name"'
    fresh 0 9 true
    refused "a column with a number in its name" '9 \(id = 9\), column "5 users"'
    fresh 0 0 'id <> 11'
    refused "a constraint" '11 \(id = 11\)'
done
done_testing

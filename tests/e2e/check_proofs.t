#!/bin/bash
# Where check does not make a table to know that a run could: the catalogue says so, and where it does not, check still refuses what run
# refuses. The first stream is always one that works: what it has shown is what the others are spared.
. "$(dirname "$0")/../lib/tap.sh"
. tests/lib/agree.sh

agree_begin
export EXTRA='resources: { parallelism: 1 }'

# words: of the answer in JSON, what is wrong with each stream.
words() {
    python3 -c '
import json, sys
a = json.load(sys.stdin)
for x in [*a.get("checks", []), *a.get("streams", [])]:
    if x.get("fault"):
        print(x["fault"]["error"]["message"], "|", (x["fault"]["error"].get("details") or {}).get("hint") or "")' <"$TAP_STDOUT" 2>&1
}
# refuses <what is said> <name>: check and run of $p, which has streams that work before one that does not.
refuses() {
    local before checked
    before=$(held)
    run "$RAPIDBYTE" check --output json "$p"
    checked=$(words)
    like "$checked" "$1" "$2: check"
    is "$(wc -l <<<"$checked")" 1 "$2: the one stream"
    is "$(held)" "$before" "$2: check changes nothing"
    run_is 8 "$2: run moves the others" "$RAPIDBYTE" run --output json "$p"
    is "$(words)" "$checked" "$2: run says the same"
}
# made <what>: how many such statements the server has met since it was last asked.
made() {
    local all
    all=$(grep -c "$1" "$PG_LOG")
    MADE=$((all - ${SEEN:-0}))
    SEEN=$all
}
plain='CREATE TABLE a (id int, v text, n numeric(8,2), at timestamptz)'

# ---- New tables.
pg_sql "ALTER SYSTEM SET log_statement = ddl" && pg_sql 'SELECT pg_reload_conf()' >/dev/null
case_of "$(for i in {10..39}; do echo "${plain/ a / t$i };"; done)" ''
made 'CREATE TABLE "raw"'
STREAMS='- { match: "*" }' write_mode=append document
run_is 0 "thirty new tables: check" "$RAPIDBYTE" check "$p"
is "$(grep -c 'a run would CREATE TABLE' <<<"$stdout")" 30 "thirty new tables: said of each"
made 'CREATE TABLE "raw"'
is "$MADE" 1 "thirty new tables: one is made"
EXTRA='' STREAMS='- { match: "*" }' write_mode=append document
run_is 0 "thirty new tables, no parallelism in the document: check" "$RAPIDBYTE" check "$p"
is "$(grep -c 'a run would CREATE TABLE' <<<"$stdout")" 30 "thirty new tables: said of each by several sessions"
made 'CREATE TABLE "raw"'
like "$MADE" '^[234]$' "thirty new tables: one is made in each of several sessions"
STREAMS='- { match: "*" }' write_mode=append document
run_is 0 "thirty new tables: run" "$RAPIDBYTE" run "$p"

two='- { name: a }
- { name: b }'
case_of "$plain; CREATE TABLE b (id int)" "CREATE TYPE b AS ENUM ('x')"
STREAMS=$two write_mode=append document etl
refuses 'creating table "raw"."b": .*already exists' "a type of the table's name"
case_of "$plain; CREATE TABLE b (id int)" 'CREATE TABLE c (id int); CREATE INDEX b ON c (id)'
STREAMS=$two write_mode=append document etl
refuses 'is not a table' "an index of the table's name"
case_of "$plain; CREATE VIEW b AS SELECT 1 AS xmax" ''
STREAMS=$two write_mode=append document etl
refuses 'conflicts with a system column' "a system column's name"
case_of "$plain; CREATE COLLATION odd FROM \"C\"; CREATE TABLE b (v text COLLATE odd)" ''
STREAMS=$two write_mode=append document etl
refuses 'collation .* does not exist' "a collation that is missing"
case_of "$plain; CREATE TABLE b (v json)" ''
STREAMS='- { name: a }
- { name: b, write_mode: upsert, primary_key: [v] }' write_mode=append document etl
refuses 'no default operator class' "a key that has no order"
case_of "$plain; CREATE TABLE b (v float8)" ''
dst_sql 'REVOKE USAGE ON TYPE float8 FROM PUBLIC'
STREAMS=$two write_mode=append document etl
refuses 'permission denied for type' "a type that the role may not use"
dst_sql 'GRANT USAGE ON TYPE float8 TO PUBLIC'
case_of "$plain; CREATE TABLE b (id int)" "CREATE FUNCTION strict() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN
    IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE object_identity = ''raw.b'') THEN RAISE ''no table b''; END IF; END'"
dst_sql 'CREATE EVENT TRIGGER strict ON ddl_command_end EXECUTE FUNCTION raw.strict()'
STREAMS=$two write_mode=append document etl
refuses 'no table b' "an event trigger"
dst_sql 'DROP EVENT TRIGGER strict'

# ---- Tables that a swap would replace: one like each is not made either.
case_of "$(for i in {10..39}; do echo "${plain/ a / t$i };"; done)" "$(for i in {10..39}; do echo "${plain/ a / t$i };"; done) CREATE UNIQUE INDEX ON t20 (id)"
STREAMS='- { match: "*" }' write_mode=replace document
made 'CREATE TABLE _rapidbyte.s_'
run_is 0 "thirty tables to replace: check" "$RAPIDBYTE" check "$p"
made 'CREATE TABLE _rapidbyte.s_'
is "$MADE" 1 "thirty tables to replace: one like it is made"
run_is 0 "thirty tables to replace: run" "$RAPIDBYTE" run "$p"
case_of "$plain; CREATE TABLE b (v float8)" "SET ROLE etl; $plain; CREATE TABLE b (v float8)"
dst_sql 'REVOKE USAGE ON TYPE float8 FROM PUBLIC'
STREAMS=$two write_mode=replace document etl
refuses 'permission denied for type' "a type that the role may not use, replaced"
dst_sql 'GRANT USAGE ON TYPE float8 TO PUBLIC'
case_of "$plain; CREATE TABLE b (unloved int)" "$plain; CREATE TABLE b (unloved int); ALTER TABLE a OWNER TO etl; ALTER TABLE b OWNER TO etl;
    CREATE FUNCTION strict() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN
    IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() JOIN pg_attribute ON attrelid = objid WHERE attname = ''unloved'') THEN RAISE ''unloved''; END IF; END'"
dst_sql 'CREATE EVENT TRIGGER strict ON ddl_command_end EXECUTE FUNCTION raw.strict()'
STREAMS=$two write_mode=replace document etl
refuses unloved "an event trigger, replaced"
dst_sql 'DROP EVENT TRIGGER strict'
case_of "$plain; CREATE TABLE b (id int, w int)" "CREATE FUNCTION mine(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; $plain;
    CREATE TABLE b (id int, w int, x int GENERATED ALWAYS AS (raw.mine(id)) STORED); ALTER TABLE a OWNER TO etl; ALTER TABLE b OWNER TO etl"
dst_sql 'REVOKE EXECUTE ON FUNCTION raw.mine FROM PUBLIC'
STREAMS=$two write_mode=replace document etl
run "$RAPIDBYTE" check --output json "$p"
checked=$(words)
run "$RAPIDBYTE" run --output json "$p"
is "$(words)" "$checked" "a column that is computed: check and run say the same"
done_testing

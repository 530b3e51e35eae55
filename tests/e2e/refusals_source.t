#!/bin/bash
# What a run refuses of the source before its first row, its tables, columns and cursors, check refuses by the same words.
. "$(dirname "$0")/../lib/tap.sh"
. tests/lib/agree.sh

agree_begin

# ---- What is there, and who may read it.
case_of "$keyed" ''
STREAMS='- { name: nothing }' document
agree 3 'there is no table or view "public"."nothing"' "a table that is not there"
STREAMS="- { name: t, destination_table: $(printf 'x%.0s' {1..64}) }" document
agree 4 "longer than PostgreSQL's 63 bytes" "a name that is too long"
STREAMS='- { name: t, columns: [id, w] }' document
agree 3 '"public"."t" has no column "w"' "a column that is not there"
STREAMS='- { name: t, where: "w > 1" }' document
agree 3 'column "w" does not exist' "a filter by a column that is not there"
src_sql 'REVOKE SELECT ON t FROM reader; GRANT SELECT (id) ON t TO reader'
STREAMS='- { name: t }' document postgres reader
agree 3 'no right to read column "v" of "public"."t".*GRANT SELECT ON' "no right to read a column"
src_sql 'REVOKE USAGE ON SCHEMA public FROM PUBLIC, reader'
agree 3 'no right to use the schema "public".*GRANT USAGE ON SCHEMA' "no right to use the schema"
STREAMS='- { name: t }' document
sed -i 's/schema: public/schema: nowhere/' "$p"
agree 3 'there is no table or view "nowhere"."t"' "a schema that is not there"
STREAMS='- { name: t, schema: public }' document
sed -i 's/database: src, schema: public/database: src, schema: nowhere/' "$p"
moves "a schema that is not there, and that no stream reads"
is "$(dst_sql 'SELECT count(*) FROM raw.t')" 5 "a schema that is not there, and that no stream reads: every row"
like "$checked" "^warning .*there is no schema 'nowhere'" "a schema that is not there, and that no stream reads: is said"

# ---- Cursors.
case_of 'CREATE TABLE t (id int PRIMARY KEY, b bool, n int, v text); INSERT INTO t VALUES (1, true, NULL), (2, false, 7); CREATE VIEW w AS SELECT * FROM t' ''
cursor() { STREAMS="- { name: ${2:-t}, sync_mode: incremental, $1 }" document; }
cursor 'cursor_field: nothing'
agree 3 'cursor column "nothing" is not in "public"."t"' "a cursor that is no column"
cursor 'cursor_field: b'
agree 3 'column "b" of type boolean can.t be a cursor' "a cursor of a type without an order"
cursor 'cursor_field: id, lookback: 1h'
agree 3 'whose `lookback` is a number' "a look-back of another kind"
cursor 'cursor_field: n, cursor_nulls: fail'
agree 5 'column "n" has rows with NULL, and `nulls: fail` refuses them' "rows without a cursor"
cursor 'cursor_field: n' w
src_sql 'UPDATE t SET n = 1 WHERE n IS NULL'
moves "a first load of a view"
src_sql 'UPDATE t SET n = NULL WHERE id = 1'
agree 5 'column "n" of a view has rows with NULL' "rows of a view without a cursor"
EXTRA='resources: { checkpoint_interval_rows: 1 }' cursor 'cursor_field: id, columns: [v]'
agree 3 'checkpoint_interval_\*: cursor column "id" is not among the columns' "checkpoints by a column that is not read"

# ---- Cursors that say nothing of the table any more. The ledger wins over the state, so what it says is changed there.
# stale <what is said> <name> <expression: the checkpoint's text>: after a first load
stale() {
    dst_sql "UPDATE _rapidbyte.loads SET checkpoint = ($3)::json WHERE checkpoint IS NOT NULL" || bail "$2"
    rm -f "$TAP_DIR"/*.db*
    agree "${4:-5}" "$1" "$2"
}
# loaded <source SQL>: and what was loaded is kept, for the next one
loaded() {
    case_of "$1" ''
    cursor "${2:-cursor_field: id}"
    run_is 0 "a first load" "$RAPIDBYTE" run "$p"
}
loaded "$keyed"
cursor 'cursor_field: id, where: id > 2'
agree 3 'does not go with the filter `where`' "a cursor of another filter"
src_sql 'ALTER TABLE t ALTER id TYPE numeric'
cursor 'cursor_field: id'
agree 3 'does not go with the cursor column or its type' "a cursor of another type"
loaded "$keyed"
src_sql 'TRUNCATE t'
agree 3 'does not go with the table, which was rewritten' "a cursor of a table that was emptied"
loaded 'CREATE TABLE t (id int, v text); INSERT INTO t VALUES (1), (NULL)' 'cursor_field: id, cursor_nulls: exclude'
cursor 'cursor_field: id'
agree 3 'does not go with `cursor_nulls: include`' "a cursor that left rows out"
loaded 'CREATE TABLE t (id int, v text) PARTITION BY LIST (v); CREATE TABLE t_a PARTITION OF t FOR VALUES IN ($$a$$); INSERT INTO t VALUES (5, $$a$$)' 'cursor_field: id, lookback: 0'
src_sql "CREATE TABLE t_b (id int, v text); INSERT INTO t_b VALUES (1, 'b'); ALTER TABLE t ATTACH PARTITION t_b FOR VALUES IN ('b')"
agree 3 'does not go with its partition "public"."t_b"' "a cursor of a table that has got a partition"
loaded "$keyed"
dst_sql 'CREATE TABLE raw.kept AS SELECT checkpoint FROM _rapidbyte.loads WHERE checkpoint IS NOT NULL'
kept="(SELECT checkpoint::text FROM raw.kept)"
stale 'does not go with this server, which is another' "a cursor of another server" "regexp_replace($kept, '(\"system_identifier\": *\")\\d+', '\\17')" 3
stale 'does not go with the server.s timeline' "a cursor of another timeline" "regexp_replace($kept, '(\"timeline\": *)\\d+', '\\177')" 3
stale 'does not go with this server.s transactions' "a cursor of transactions to come" "regexp_replace($kept, '(\"prevxmin\": *\"?)\\d+', '\\14000000000')" 3
stale 'is not one this connector wrote' "a cursor that is none" "regexp_replace($kept, '\"seen\": *\\[[^]]*\\]', '\"seen\":[\"x\"]')" 3

# ---- Transforms.
case_of 'CREATE TABLE t (id int)' ''
KEY=$(printf '0%.0s' {1..32})
export KEY
EXTRA='transforms: [ { use: transform-mask, config: { columns: [id], method: hash, key: ${KEY} } } ]' STREAMS='- { name: t }' document
agree 5 "column 'id' is neither text nor binary" "a transform of a column of another type"

# ---- A server that has gone on for 2^31 transactions. Last: it is so from then on.
loaded "$keyed"
pg_halt fast
pg_as_owner "$PG_BIN/pg_resetwal" -e 1 "$PG_DATA" >"$TAP_DIR/resetwal" 2>&1 || bail "$(<"$TAP_DIR/resetwal")"
pg_boot || bail "the server does not start again"
agree 3 'does not go with the age of the last run: 2.31 transactions' "a cursor of long ago"
agree_end
done_testing

#!/bin/bash
# What a run refuses of the destination's tables and types before its first row, check refuses by the same words.
. "$(dirname "$0")/../lib/tap.sh"
. tests/lib/agree.sh

agree_begin

# ---- Columns.
case_of "$keyed" 'CREATE TABLE t (id int, v varchar(2)); CREATE VIEW w AS SELECT v FROM t'
STREAMS='- { name: t, schema_evolution: { type_change: widen } }' document
agree 5 'has at the source the type text, and can.t follow while view .* depends on it' "a column that a view depends on"
case_of "$keyed" 'CREATE TABLE t (id int, v text, w int NOT NULL)'
STREAMS='- { name: t }' document
agree 5 'column "w" of table "t" is not in the stream, is NOT NULL and has no default' "a column that the stream does not fill"
case_of 'CREATE TABLE t (id int, a int, b int); INSERT INTO t VALUES (1, 2, 3)' ''
STREAMS='- { name: t }' document
moves "a table that follows the source"
src_sql 'ALTER TABLE t RENAME a TO c'
STREAMS='- { name: t, schema_evolution: { renamed_column: fail } }' document
agree 5 'column "a" of table "t" was renamed to "c" at the source .schema_evolution.renamed_column: fail' "a column that was renamed"
src_sql 'ALTER TABLE t DROP b; ALTER TABLE t RENAME c TO b'
STREAMS='- { name: t, schema_evolution: { renamed_column: rename, removed_column: ignore } }' document
agree 5 'was renamed to "b" at the source, which has dropped the column that was called so' "a column that has got a dropped one's name"
case_of "$keyed" ''
STREAMS='- { name: t, write_mode: upsert, primary_key: [nothing] }' document
agree 5 'primary key column "nothing" is not among the stream.s columns' "a key that is no column"

# ---- Types that users made.
case_of 'CREATE TYPE c AS (x int, y int); CREATE TABLE t (v c)' 'CREATE TYPE c AS (x int, y text)'
STREAMS='- { name: t }' document
agree 5 'type "raw"."c" exists with another definition' "a type of another definition"
case_of 'CREATE TABLE a (x int); CREATE TABLE t (v a)' ''
agree 5 'can.t be made from "public"."a": it is the row type of a table' "the row type of a table"
case_of 'CREATE TYPE r AS RANGE (subtype = text, subtype_opclass = text_pattern_ops); CREATE TABLE t (v r)' ''
agree 5 'it is made of functions of that server' "a range by an operator class of its own"
case_of 'CREATE DOMAIN d AS int CHECK (VALUE::float8 > random() - 1); CREATE TABLE t (v d)' ''
agree 5 'a check of the source.s domain calls random.., and may do more than look at a value' "a domain's check that may do anything"

# ---- Names that a function of ours could not hold between its quotes.
for name in "it's" 'a$rapidbyte$b'; do
    type="CREATE TYPE \"$name\" AS (x int); CREATE TABLE t (v \"$name\")"
    case_of "$type" "$type; CREATE FUNCTION made(text) RETURNS \"$name\" LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE CAST (text AS \"$name\") WITH FUNCTION made(text)"
    STREAMS='- { name: t }' document
    agree 5 'the name of type .* has a quote in it' "a type with a quote in its name: $name"
done
case_of 'CREATE TABLE t (v bigint)' 'CREATE DOMAIN "a$rapidbyte$b" AS int; CREATE TABLE t (v "a$rapidbyte$b")'
STREAMS='- { name: t, schema_evolution: { type_change: coerce } }' document
agree 5 'no cast from bigint to .*a.rapidbyte.b' "a type with the function's quote in its name"

# ---- Tables that can't be replaced.
STREAMS='- { name: t, write_mode: replace }'
case_of "$keyed" 'CREATE TABLE t (id int, v text)'
dst_sql "ALTER TABLE raw.t OWNER TO etl; REVOKE CREATE ON SCHEMA raw FROM etl, PUBLIC; ALTER SCHEMA raw OWNER TO other; GRANT USAGE ON SCHEMA raw TO etl"
document etl
agree 4 'only with the right to make tables in schema "raw".*GRANT CREATE ON SCHEMA raw TO' "a swap without the right to make tables"
# No extension is there: a catalogue that looks like TimescaleDB's.
case_of "$keyed" 'CREATE TABLE t (id int, v text)'
dst_sql "CREATE SCHEMA _timescaledb_catalog; CREATE TABLE _timescaledb_catalog.hypertable AS SELECT 'raw'::name AS schema_name, 't'::name AS table_name"
document
agree 5 'table "t" is a hypertable of TimescaleDB, and can.t be replaced' "a hypertable"
dst_sql 'DROP SCHEMA _timescaledb_catalog CASCADE'
# keeps <what is said> <SQL at the destination>
keeps() {
    case_of "$keyed" "CREATE TABLE t (id int, v text); $2"
    agree 5 "can.t be replaced by a new one, which would not keep: .*$1" "a swap of a table with $1"
}
keeps 'materialized view' 'CREATE MATERIALIZED VIEW m AS SELECT * FROM t'
keeps 'function' "CREATE FUNCTION f() RETURNS SETOF t LANGUAGE sql AS 'SELECT * FROM t'"
keeps 'it is not a plain table' 'DROP TABLE t; CREATE TABLE t (id int, v text) PARTITION BY LIST (id)'
keeps 'its inheritance' 'CREATE TABLE child () INHERITS (t)'
keeps 'publication everything of all tables' 'CREATE PUBLICATION everything FOR ALL TABLES'
dst_sql 'DROP PUBLICATION everything'
keeps 'disabled triggers of foreign key' 'CREATE TABLE parent (id int PRIMARY KEY); ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (id) REFERENCES parent; ALTER TABLE t DISABLE TRIGGER ALL'
keeps 'its place in extension plpgsql' 'ALTER EXTENSION plpgsql ADD TABLE t'
dst_sql 'ALTER EXTENSION plpgsql DROP TABLE raw.t'

# ---- What the table holds already.
append='sync_mode: incremental, cursor_field: id, write_mode: append'
case_of "$keyed" ''
STREAMS='- { name: t, write_mode: replace }' document
moves "a table that is replaced"
STREAMS="- { name: t, $append }" document
agree 5 'and that load kept no cursor: an incremental append would add every row again' "a table that another mode has filled"
case_of "$keyed" ''
STREAMS="- { name: t, $append }" document
moves "a table that is appended to"
dst_sql "DROP TABLE raw.t; CREATE TABLE raw.t (id int, v text); INSERT INTO raw.t VALUES (1, 'own')"
agree 5 'is another table than the one that the stream.s cursor was taken for' "a table that was made anew"
STREAMS="- { name: t, destination_table: other, $append }" document
moves "another table"
# As an older version's receipts have it, of which no table is known.
dst_sql "DELETE FROM _rapidbyte.loads WHERE target <> 'raw.other'"
STREAMS="- { name: t, $append }" document
agree 5 'the stream.s cursor was taken for table raw.other; raw.t has rows, and no cursor' "a stream that gets another table"
agree_end
done_testing

#!/bin/bash
# A table follows its source: what changed there from one night to the next, by write mode and policy.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pg_start main || bail "no PostgreSQL"
databases
p=$TAP_DIR/p.yaml

# first <the source's columns> <a row's values> [keys of the stream]: the night before the change. With `ours` (the target's columns) the
# table at the destination was made by somebody else.
first() {
    src_sql "DROP TABLE IF EXISTS t; DROP TYPE IF EXISTS mood; ${TYPE:-}; CREATE TABLE t ($1); INSERT INTO t VALUES $2" 2>/dev/null
    dst_sql "DROP SCHEMA IF EXISTS raw CASCADE; DROP SCHEMA IF EXISTS _rapidbyte CASCADE; CREATE SCHEMA raw" 2>/dev/null
    [[ -z ${ours:-} ]] || dst_sql "CREATE TABLE raw.t ($ours)"
    rm -f "$TAP_DIR"/state.db*
    night "${3:-}"
    run_is 0 "${name:-$write_mode}: the night before" "$RAPIDBYTE" run "$p" || diag "$stderr"
}
night() { STREAMS="- { name: t${1:+, $1} }" pipeline "$p"; }
# next_night <exit code> <name> [keys of the stream]; check says the same before.
next_night() {
    night "${3:-}"
    run_is "$1" "$write_mode: $2: check" "$RAPIDBYTE" check "$p" || diag "$stderr"
    checked=$stdout$stderr
    run_is "$1" "$write_mode: $2" "$RAPIDBYTE" run "$p" || diag "$stderr"
}
rows() { dst_sql "SELECT string_agg(t::text, ' ' ORDER BY t::text) FROM raw.t"; }
columns() {
    dst_sql "SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attname) FROM pg_attribute
        WHERE attrelid = 'raw.t'::regclass AND attnum > 0 AND NOT attisdropped"
}

# What the source's shape becomes, replaced: by a swap and by TRUNCATE, whoever made the table.
write_mode=replace
for ours in '' 'id int PRIMARY KEY, a text NOT NULL, gone int NOT NULL, v int, s varchar(10)'; do
    for method in swap truncate; do
        name="replace by $method, made by ${ours:+somebody else}"
        keys="replace_method: $method"
        first "id int PRIMARY KEY, a text NOT NULL, gone int NOT NULL, v int, s varchar(10)" "(1, 'x', 2, 3, 'short')" "$keys"
        dst_sql "CREATE INDEX by_v ON raw.t (v); CREATE INDEX by_a ON raw.t (upper(a)); GRANT SELECT (a) ON raw.t TO public; COMMENT ON COLUMN raw.t.a IS 'of a'
            ; ALTER TABLE raw.t ADD noted timestamptz DEFAULT now(); CREATE VIEW raw.of_a AS SELECT id, a FROM raw.t"
        src_sql "ALTER TABLE t RENAME a TO b; ALTER TABLE t DROP gone; ALTER TABLE t ALTER v TYPE bigint; ALTER TABLE t ALTER s TYPE varchar(50);
            ALTER TABLE t ADD fresh text; INSERT INTO t VALUES (2, 'y', 5000000000, 'a text of more than ten bytes', 'f')"
        next_night 0 "renamed, dropped, widened and new columns" "$keys"
        like "$checked" 'a run would RENAME COLUMN "a" TO "b", DROP COLUMN "gone", ADD COLUMN "fresh" text, ALTER COLUMN "v" TYPE bigint, ALTER COLUMN "s" TYPE character varying\(50\)' "$name: check says all of it"
        is "$(columns)" "b text, fresh text, id integer, noted timestamp with time zone, s character varying(50), v bigint" "$name: the columns"
        is "$(dst_sql "SELECT string_agg(concat_ws(',', id, b, v, s, fresh), ' ' ORDER BY id) FROM raw.t")" "1,x,3,short 2,y,5000000000,a text of more than ten bytes,f" "$name: the rows"
        is "$(dst_sql "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relkind = 'i' AND relnamespace = 'raw'::regnamespace AND relname LIKE 'by%'")" "by_a by_v" "$name: indexes have their names"
        is "$(dst_sql "SELECT string_agg(a, ' ' ORDER BY id) FROM raw.of_a")" "x y" "$name: a view reads the renamed column"
        is "$(dst_sql "SELECT col_description('raw.t'::regclass, attnum) || (attacl IS NOT NULL) FROM pg_attribute WHERE attrelid = 'raw.t'::regclass AND attname = 'b'")" "of atrue" "$name: its comment and grant went along"
        next_night 0 "and again" "$keys"
        is "$(dst_sql "SELECT count(*) FROM raw.t")" 2 "$name: once more the same"
    done
done
unset ours name

# Any other type, too, where nothing of it is kept.
first "id int, v int" "(1, 2)"
src_sql "ALTER TABLE t ALTER v TYPE text USING 'n' || v"
next_night 0 "int became text"
is "$(columns)|$(rows)" "id integer, v text|(1,n2)" "replace: the table has the other type"
first "id int, v varchar(50)" "(1, 'x')"
src_sql "ALTER TABLE t ALTER v TYPE varchar(10)"
next_night 0 "a narrower type"
is "$(columns)" "id integer, v character varying(10)" "replace: the table has the narrower type"

# Names that change places, and one that takes a dropped column's.
first "id int, a int, b int, c int" "(1, 2, 3, 4)"
src_sql "ALTER TABLE t RENAME a TO x; ALTER TABLE t RENAME b TO a; ALTER TABLE t RENAME x TO b; ALTER TABLE t DROP c; ALTER TABLE t RENAME id TO c"
next_night 0 "names changed places"
is "$(columns)|$(dst_sql "SELECT c, b, a FROM raw.t")" "a integer, b integer, c integer|1|2|3" "replace: by their numbers at the source"

# What depends on the old shape is named, and kept.
first "id int, gone int, v int" "(1, 2, 3)"
dst_sql "CREATE VIEW raw.w AS SELECT gone FROM raw.t"
src_sql "ALTER TABLE t DROP gone"
next_night 5 "a view reads the dropped column"
like "$stderr" 'column "gone" of table "t" is not in the stream, and can.t follow while view raw.w depends on it' "replace: the view is named"
is "$(rows)" "(1,2,3)" "replace: the table is as it was"
next_night 0 "the policy that it names" "schema_evolution: { removed_column: ignore }"
is "$(rows)" "(1,,3)" "replace: the column stays, empty"
first "id int, v int" "(1, 2)"
dst_sql "CREATE VIEW raw.w AS SELECT v FROM raw.t"
src_sql "ALTER TABLE t ALTER v TYPE bigint"
next_night 5 "a view reads the widened column"
like "$stderr" 'column "v" of table "t" has at the source the type bigint, and can.t follow while view raw.w' "replace: the view is named"

# A column that the source never had is nobody's to drop; nor is a type that was never the source's to change.
ours='id int, note text, v text'
first "id int, v text" "(1, 'x')"
src_sql "ALTER TABLE t ADD z int"
next_night 0 "somebody's own column"
is "$(columns)" "id integer, note text, v text, z integer" "replace: the column that the source never had stays"
ours='id int, v text'
first "id int, v int" "(1, 2)" "schema_evolution: { type_change: coerce }"
next_night 5 "a type of the operator's"
like "$stderr" 'of type text, in the stream of integer' "replace: the operator's type is not overruled"
unset ours

# Appended and upserted: a table that rapidbyte made follows, and its rows stay.
for write_mode in append upsert; do
    [[ $write_mode == append ]] && where='where: "id = 2"' || where=
    first "id int PRIMARY KEY, a text NOT NULL, gone int NOT NULL, v int, s varchar(10), n numeric(6,2), at timestamp(0)" "(1, 'x', 2, 3, 'short', 1.5, '2024-01-01 00:00:01')"
    src_sql "ALTER TABLE t RENAME a TO b; ALTER TABLE t RENAME id TO key; ALTER TABLE t DROP gone; ALTER TABLE t ALTER key TYPE bigint; ALTER TABLE t ALTER v TYPE bigint;
        ALTER TABLE t ALTER s TYPE text; ALTER TABLE t ALTER n TYPE numeric(9,3); ALTER TABLE t ALTER at TYPE timestamp(3); INSERT INTO t VALUES (2, 'y', 5000000000, 'a text of more than ten bytes', 1234.125, '2024-01-01 00:00:01.125')"
    next_night 0 "its own table" "${where/id/key}"
    like "$checked" 'a run would RENAME COLUMN "id" TO "key", RENAME COLUMN "a" TO "b", ALTER COLUMN "gone" DROP NOT NULL' "$write_mode: check says it"
    is "$(columns)" "at timestamp(3) without time zone, b text, gone integer, key bigint, n numeric(9,3), s text, v bigint" "$write_mode: the columns"
    is "$(rows)" '(1,x,2,3,short,1.500,"2024-01-01 00:00:01") (2,y,,5000000000,"a text of more than ten bytes",1234.125,"2024-01-01 00:00:01.125")' "$write_mode: the rows"
    src_sql "ALTER TABLE t ALTER v TYPE int USING 0"
    next_night 0 "a narrower type is cast" "${where/id/key}"
    is "$(dst_sql "SELECT format_type(atttypid, atttypmod), (SELECT count(*) FROM raw.t WHERE v = 0) > 0 FROM pg_attribute WHERE attrelid = 'raw.t'::regclass AND attname = 'v'")" "bigint|t" "$write_mode: the wider type stays"
    src_sql "ALTER TABLE t ALTER v TYPE text USING 'x'"
    next_night 5 "a type that loses something" "${where/id/key}"
    like "$stderr" 'column "v" of table "t" is of type bigint, in the stream of text' "$write_mode: is refused"
    next_night 5 "nor is it a widening" "schema_evolution: { type_change: widen }${where:+, ${where/id/key}}"
    like "$stderr" 'does not hold every value of it' "$write_mode: and that is said"
done

# Made by somebody else: by policy, which the message names.
write_mode=append
made_by_others() { # made_by_others <change at the source> <message> <hint> <policy> <columns> <rows>
    ours='id int, a int NOT NULL, v varchar(5)' first "id int, a int NOT NULL, v varchar(5)" "(1, 2, 'x')"
    src_sql "$1"
    next_night 5 "somebody else's table: $1"
    like "$stderr" "$2" "refused by name"
    like "$stderr" "$3" "the policy is named"
    like "$checked" "$2" "by check, too"
    is "$(rows)" "(1,2,x)" "nothing is altered"
    next_night 0 "$4" "schema_evolution: { $4 }, where: \"id = 2\""
    is "$(columns)|$(rows)" "$5|$6" "$4"
}
made_by_others "ALTER TABLE t RENAME a TO b; INSERT INTO t VALUES (2, 3, 'y')" 'column "a" of table "t" was renamed to "b" at the source' 'schema_evolution.renamed_column: rename' \
    "renamed_column: rename" "b integer, id integer, v character varying(5)" "(1,2,x) (2,3,y)"
made_by_others "ALTER TABLE t DROP a; INSERT INTO t VALUES (2, 'y')" 'column "a" of table "t" is not in the stream, is NOT NULL' 'schema_evolution.removed_column: drop' \
    "removed_column: drop" "id integer, v character varying(5)" "(1,x) (2,y)"
made_by_others "ALTER TABLE t ALTER v TYPE varchar(9); INSERT INTO t VALUES (2, 3, 'yyyyyyyy')" 'column "v" of table "t" is of type character varying\(5\), in the stream of character varying\(9\)' \
    'schema_evolution.type_change: widen' "type_change: widen" "a integer, id integer, v character varying(9)" "(1,2,x) (2,3,yyyyyyyy)"
ours='id int, a int' first "id int, a int" "(1, 2)"
src_sql "ALTER TABLE t RENAME a TO b; UPDATE t SET id = 2"
next_night 0 "kept apart" "schema_evolution: { renamed_column: separate }"
is "$(columns)|$(rows)" "a integer, b integer, id integer|(1,2,) (2,,2)" "renamed_column: separate"
first "id int, a int" "(1, 2)"
src_sql "ALTER TABLE t RENAME a TO b"
next_night 5 "renamed_column: fail, of its own table" "schema_evolution: { renamed_column: fail }"
src_sql "ALTER TABLE t DROP b; ALTER TABLE t ADD b int"
next_night 0 "not the same column" "schema_evolution: { renamed_column: fail }"
is "$(columns)" "a integer, b integer, id integer" "dropped and added is not renamed"
first "id int, a int, b int" "(1, 2, 3)"
src_sql "ALTER TABLE t DROP b; ALTER TABLE t RENAME a TO b"
next_night 5 "the name of a column that was dropped"
like "$stderr" 'column "a" of table "t" was renamed to "b" at the source, which has dropped' "append: two columns are not mixed"
next_night 0 "unless it may go" "schema_evolution: { removed_column: drop }"
is "$(dst_sql "SELECT min(b), max(b), count(*) FROM raw.t")" "2|2|2" "append: the values of one column"
first "id int, a int" "(1, 2)"
next_night 0 "removed_column: drop takes what the table fills by itself for somebody's" "schema_evolution: { removed_column: drop }, columns: [id]"
is "$(columns)" "id integer" "removed_column: drop"

# Enum labels.
for write_mode in replace append; do
    TYPE="CREATE TYPE mood AS ENUM ('sad', 'ok')" first "id int, m mood" "(1, 'ok')"
    src_sql "ALTER TYPE mood ADD VALUE 'happy'; ALTER TYPE mood ADD VALUE 'awful' BEFORE 'sad'; ALTER TYPE mood ADD VALUE 'so-so' AFTER 'sad'"
    src_sql "INSERT INTO t VALUES (2, 'happy'), (3, 'awful')"
    night 'schema_evolution: { type_change: fail }'
    run_is 5 "$write_mode: labels added: type_change: fail" "$RAPIDBYTE" run "$p"
    like "$stderr" 'set schema_evolution.type_change: widen, which adds those that are missing' "$write_mode: the policy is named"
    night
    run_is 0 "$write_mode: labels added" "$RAPIDBYTE" run "$p"
    is "$(dst_sql "SELECT enum_range(NULL::raw.mood)")" "{awful,sad,so-so,ok,happy}" "$write_mode: in the source's order"
    is "$(dst_sql "SELECT string_agg(DISTINCT m::text, ' ') FROM raw.t")" "awful happy ok" "$write_mode: the rows"
    src_sql "ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'"
    run_is 5 "$write_mode: a label with another name" "$RAPIDBYTE" run "$p"
done

# A table in several units.
write_mode=replace
first "id int, a int, v int, pad text" "(1, 2, 3, '')"
src_sql "INSERT INTO t SELECT i, i, i, repeat('x', 500) FROM generate_series(2, 40000) i"
EXTRA='resources: { parallelism: 2 }' next_night 0 "in units"
src_sql "ALTER TABLE t RENAME a TO b; ALTER TABLE t ALTER v TYPE bigint; UPDATE t SET v = 5000000000 WHERE id = 7; ALTER TABLE t DROP pad; ALTER TABLE t ADD pad2 text; UPDATE t SET pad2 = repeat('y', 500)"
dst_sql "CREATE VIEW raw.of_a AS SELECT id, a FROM raw.t"
EXTRA='resources: { parallelism: 2 }' next_night 0 "in units, with another shape"
is "$(columns)|$(dst_sql "SELECT count(*), sum(b), max(v) FROM raw.t")|$(dst_sql "SELECT sum(a) FROM raw.of_a")" "b integer, id integer, pad2 text, v bigint|40000|800020001|5000000000|800020001" "in units: shape, rows and view"
done_testing

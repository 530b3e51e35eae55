#!/bin/bash
# Schema evolution: each policy, in each of its values, by what it lets in, alters or refuses.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pg_start main || bail "no PostgreSQL"
databases
p=$TAP_DIR/p.yaml

# tables <the source's columns> <the target's columns>
tables() {
    src_sql "DROP TABLE IF EXISTS t; CREATE TABLE t ($1)" 2>/dev/null
    dst_sql "DROP SCHEMA IF EXISTS raw CASCADE; CREATE SCHEMA raw; CREATE TABLE raw.t ($2)" 2>/dev/null
    rm -f "$TAP_DIR"/state.db*
}

# go <exit code> <policy: value> [further keys of the stream]
go() {
    STREAMS="- { name: t, schema_evolution: { $2 }${3:+, $3} }" pipeline "$p"
    run "$RAPIDBYTE" run "$p"
    is "$status" "$1" "$2${3:+, $3}" || diag "$stderr"
}
rows() { dst_sql "SELECT string_agg(t::text, ' ' ORDER BY t::text) FROM raw.t"; }
columns() { dst_sql "SELECT string_agg(attname || CASE WHEN attnotnull THEN '!' ELSE '' END, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'raw.t'::regclass AND attnum > 0"; }

for write_mode in append replace; do
    tables "id integer, extra numeric(6,2)" "id integer"
    src_sql "INSERT INTO t VALUES (1, 1.50)"
    go 0 "new_column: add"
    is "$(columns)|$(rows)" "id extra|(1,1.50)" "$write_mode: the column is added"
    is "$(dst_sql "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'raw.t'::regclass AND attname = 'extra'")" "numeric(6,2)" "with its type"
    tables "id integer, extra numeric(6,2)" "id integer"
    src_sql "INSERT INTO t VALUES (1, 1.50)"
    go 0 "new_column: ignore"
    is "$(columns)|$(rows)" "id|(1)" "$write_mode: the column is left out"
    go 5 "new_column: fail"
    like "$stderr" 'no column "extra"' "the column is named"

    tables "id integer" "id integer, gone text, given text NOT NULL DEFAULT 'x', n integer GENERATED ALWAYS AS IDENTITY"
    src_sql "INSERT INTO t VALUES (1)"
    go 0 "removed_column: ignore"
    is "$(rows)" "(1,,x,1)" "$write_mode: NULL, defaults"
    go 5 "removed_column: fail"
    like "$stderr" 'column "gone".*not in the stream' "the column is named"
    tables "id integer" "id integer, gone text NOT NULL"
    go 5 "removed_column: ignore" "on_data_error: skip"
    like "$stderr" 'column "gone".*NOT NULL and has no default' "a column that can't be left out is named before data moves"

    tables "id integer, a text" "id integer PRIMARY KEY, a text NOT NULL"
    src_sql "INSERT INTO t VALUES (1, NULL)"
    go 5 "nullability_change: fail"
    like "$stderr" 'column "[a-z]+".*NOT NULL' "the column is named"
    go 0 "nullability_change: allow"
    is "$(columns)|$(rows)" "id! a|(1,)" "$write_mode: NOT NULL is dropped, but not of the key"
done

# A table that a failed load would have altered stays as it was.
write_mode=append
tables "id integer, extra text" "id integer CHECK (id < 3)"
src_sql "INSERT INTO t SELECT i FROM generate_series(1, 3) i"
go 5 "new_column: add"
is "$(columns)|$(rows)" "id|" "what fails alters nothing"

# Types.
tables "id integer, v integer" "id integer, v text"
src_sql "INSERT INTO t VALUES (1, 7), (2, NULL)"
go 5 "type_change: fail"
like "$stderr" 'column "v".*of type text, in the stream of integer' "the column and both types are named"
go 0 "type_change: coerce"
is "$(rows)" "(1,7) (2,)" "an assignment that loses nothing"

lossy() { # lossy <source type> <target type> <good value> <bad value>
    local load_method
    for load_method in copy insert; do
        tables "id integer PRIMARY KEY, v $1" "id integer PRIMARY KEY, v $2"
        src_sql "INSERT INTO t VALUES (1, $3), (2, $4), (3, NULL)"
        go 5 "type_change: coerce"
        like "$stderr" 'row 2 \(id = 2\).*column "v"' "$1 to $2, $load_method: row and column are named"
        is "$(rows)" "" "$1 to $2, $load_method: nothing is visible"
        go 0 "type_change: coerce" "on_data_error: dlq"
        is "$(dst_sql "SELECT count(*), count(v) FROM raw.t")|$(dst_sql "SELECT position, \"values\" ->> 'id' FROM raw.t__rejected")" "2|1|2|2" "$1 to $2, $load_method: this row alone is rejected"
        tables "id integer PRIMARY KEY, v $1" "id integer PRIMARY KEY, v $2"
        src_sql "INSERT INTO t VALUES (1, $3), (2, $4), (3, NULL)"
        go 0 'type_change: "null"'
        is "$(dst_sql "SELECT count(*), count(v), bool_and((v IS NOT NULL) = (id = 1)) FROM raw.t")" "3|1|t" "$1 to $2, $load_method: it becomes NULL"
        like "$stderr" 'column "v": 1 values .* became NULL' "and that is told"
    done
}
lossy bigint integer 7 3000000000
lossy 'numeric(10,2)' integer 7.00 7.50
lossy text 'varchar(3)' "'abc'" "'abcd'"
lossy timestamptz date "'2020-01-01 00:00+00'" "'2020-01-01 00:01+00'"
lossy 'double precision' real 0.5 0.1

# text to integer is no assignment: coerce refuses it, null tries each value.
tables "id integer, v text" "id integer, v integer"
src_sql "INSERT INTO t VALUES (1, '7'), (2, 'seven'), (3, '007')"
go 5 "type_change: coerce"
like "$stderr" "can't be assigned to it without loss" "text to integer: says so"
go 0 'type_change: "null"'
is "$(rows)" "(1,7) (2,) (3,)" "text to integer: what reads back the same"
tables "id integer, v uuid" "id integer, v integer"
go 5 'type_change: "null"'
like "$stderr" "can't be cast to it" "uuid to integer: says so"

# json into jsonb: by value.
for load_method in copy insert; do
    tables "id integer PRIMARY KEY, v json, vs json[]" "id integer PRIMARY KEY, v jsonb, vs jsonb[]"
    src_sql "INSERT INTO t VALUES (1, '{\"b\":1,  \"a\":[1.50], \"b\":2}', ARRAY['{\"x\":1}', 'null', NULL]::json[]), (2, 'null', NULL), (3, NULL, '{}')"
    for policy in coerce '"null"'; do
        dst_sql "TRUNCATE raw.t"
        rm -f "$TAP_DIR"/state.db*
        dst_sql "DROP SCHEMA IF EXISTS _rapidbyte CASCADE" 2>/dev/null
        go 0 "type_change: $policy"
        is "$(dst_sql "SELECT string_agg(concat_ws('|', v, v IS NULL, vs), ' ' ORDER BY id) FROM raw.t")" '{"a": [1.50], "b": 2}|f|{"{\"x\": 1}","null",NULL} null|f t|{}' "json to jsonb, $policy, $load_method: the values"
    done
    src_sql "INSERT INTO t VALUES (4, '\"\\u0000\"')"
    dst_sql "DROP SCHEMA IF EXISTS _rapidbyte CASCADE; TRUNCATE raw.t" 2>/dev/null
    go 5 "type_change: coerce"
    like "$stderr" 'row 4 \(id = 4\).*column "v"' "json that jsonb does not hold, $load_method: row and column are named"
    go 0 'type_change: "null"'
    is "$(dst_sql "SELECT string_agg(id || ' ' || (v IS NULL), ',' ORDER BY id) FROM raw.t")" '1 false,2 false,3 true,4 true' "json that jsonb does not hold, $load_method: becomes NULL"
done

# Types that users made, and extensions', into text: the types are not needed, and may change.
for load_method in copy insert; do
    for mode in append upsert replace 'replace, replace_method: truncate'; do
        tables "id integer" "id integer PRIMARY KEY, m text, ms text, c varchar(9), p text, d text, n text"
        src_sql "SET client_min_messages = error; DROP TYPE IF EXISTS mood, pair CASCADE; DROP DOMAIN IF EXISTS code, score CASCADE; CREATE EXTENSION IF NOT EXISTS citext;
            CREATE TYPE mood AS ENUM ('a b', 'c'); CREATE TYPE pair AS (x int, y text); CREATE DOMAIN code AS text; CREATE DOMAIN score AS numeric;
            DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, m mood, ms mood[], c citext, p pair, d code, n score);
            INSERT INTO t VALUES (1, 'a b', '{c,\"a b\",NULL}', 'Ab', (1, NULL), 'x', 1.50), (2, NULL, NULL, NULL, NULL, NULL, NULL)"
        dst_sql "CREATE TYPE raw.mood AS ENUM ('other')"
        what="types into text ($mode, $load_method)"
        STREAMS="- { name: t, write_mode: $mode, schema_evolution: { type_change: coerce } }" pipeline "$p"
        run_is 0 "$what: check" "$RAPIDBYTE" check "$p"
        run_is 0 "$what" "$RAPIDBYTE" run "$p"
        is "$(rows)" "$(src_sql "SELECT string_agg(t::text, ' ' ORDER BY t::text) FROM t")" "$what: the values"
        is "$(dst_sql "SELECT count(*) FROM pg_type WHERE typnamespace = 'raw'::regnamespace AND typname IN ('pair', 'code', 'score')")" 0 "$what: no type is made"
        is "$(columns)" 'id! m ms c p d n' "$what: the table stays"
        src_sql "ALTER TYPE mood ADD VALUE 'new'"
        src_sql "DELETE FROM t WHERE id = 1; INSERT INTO t (id, m) VALUES (3, 'new')"
        [[ $mode != append ]] || STREAMS="- { name: t, write_mode: $mode, where: id = 3, schema_evolution: { type_change: coerce } }" PIPELINE=again pipeline "$p"
        run_is 0 "$what: with a new label" "$RAPIDBYTE" run "$p"
        is "$(dst_sql 'SELECT m FROM raw.t WHERE id = 3')" new "$what: the new label"
    done
    STREAMS="- { name: t, columns: [id, m], write_mode: replace }" PIPELINE=strict pipeline "$p"
    run_is 5 "types into text without coerce ($load_method)" "$RAPIDBYTE" run "$p"
done

# check says what would be altered, and alters nothing.
tables "id integer, extra text, v integer" "id integer NOT NULL, v integer"
STREAMS='- { name: t }' pipeline "$p"
run_is 0 "check" "$RAPIDBYTE" check "$p"
like "$stdout$stderr" 'table of t.*ADD COLUMN "extra" text, ALTER COLUMN "id" DROP NOT NULL' "check: the changes"
is "$(columns)" "id! v" "check: nothing is altered"
STREAMS='- { name: t, schema_evolution: { new_column: fail } }' pipeline "$p"
run_is 5 "check of what a run would refuse" "$RAPIDBYTE" check "$p"
like "$stdout$stderr" 'no column "extra"' "check: the reason"
STREAMS='- { name: t, destination_table: fresh }' pipeline "$p"
run_is 0 "check of a table that is not there" "$RAPIDBYTE" check "$p"
like "$stdout$stderr" "table of t.*CREATE TABLE" "check: it would be made"
is "$(dst_sql "SELECT to_regclass('raw.fresh') IS NULL")" t "check: nothing is made"

# Per pipeline, and per stream over it.
tables "id integer, extra text" "id integer"
STREAMS='- { name: t }' DEST_EXTRA='schema_evolution: { new_column: fail }' pipeline "$p"
run_is 5 "of the pipeline" "$RAPIDBYTE" run "$p"
STREAMS='- { name: t, schema_evolution: { new_column: ignore } }' DEST_EXTRA='schema_evolution: { new_column: fail }' pipeline "$p"
run_is 0 "of the stream" "$RAPIDBYTE" run "$p"
done_testing

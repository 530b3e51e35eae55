#!/bin/bash
# The type matrix (tests/types): each line arrives identical, by COPY and by INSERT. MATRIX_RUNS=all takes each load method with each
# write mode and compression, and values of 50 MB; MATRIX_SAMPLE=n takes every nth line; MATRIX_RESULTS=folder keeps what
# docs/types.md is made of; PG_DST_BIN=folder has the destination on a server of that version.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pg_start main || bail "no PostgreSQL"
databases
export PG_BIN PG_SOCKET PG_PORT
results=${MATRIX_RESULTS:-$TAP_DIR/results}
mkdir -p "$results"
rm -f "$results/source.json"
matrix() {
    (cd "$results" && python3 "$ROOT/tests/types/matrix.py" "$@")
}
runs=(copy-replace-none insert-append-lz4 insert-upsert-none copy-upsert-zstd)
limits=
if [[ ${MATRIX_RUNS:-} == all ]]; then
    export MATRIX_LARGE=1
    limits=', max_memory: 1gb, max_record_bytes: 128mb, max_batch_bytes: 256mb, max_inflight_bytes: 256mb'
    runs=()
    for load_method in copy insert; do
        for mode in append replace upsert; do
            for compression in none lz4 zstd; do
                runs+=("$load_method-$mode-$compression")
            done
        done
    done
fi
matrix setup || bail "the matrix could not be made"
relay matrix table "$ROOT/connectors/postgres/common/type.c"
for what in "${runs[@]}"; do
    IFS=- read -r load_method mode compression <<<"$what"
    PIPELINE=types_${what//-/_} STATE=$what EXTRA="resources: { compression: $compression$limits }"
    STREAMS=$(matrix streams "$mode") || bail "no streams"
    dst_sql 'DROP SCHEMA IF EXISTS raw CASCADE' 2>/dev/null
    pipeline "$TAP_DIR/p.yaml"
    RUN_TIMEOUT_S=200 run "$RAPIDBYTE" run "$TAP_DIR/p.yaml" --output json
    is "$status" 0 "the run $what" || diag "$(tail -n 20 <<<"$stderr")"
    failures "$results/failures.json"
    relay matrix compare "$what"
done
STREAMS=$(matrix streams append)
PIPELINE=types_discover pipeline "$TAP_DIR/p.yaml"
# How each of them travels, for docs/types.md.
run_is 0 "the source's types are listed" "$RAPIDBYTE" discover "$TAP_DIR/p.yaml" --output json
cp "$TAP_STDOUT" "$results/discover-$$.json"

# Types that users made have the same definitions, whatever a value shows of them.
src_sql "CREATE DOMAIN needed AS integer NOT NULL CONSTRAINT low CHECK (VALUE < 10) CHECK (VALUE <> 5); CREATE TYPE collated AS (a text COLLATE \"C\", b varchar(3)[]);
    CREATE TABLE needs (v needed, w collated); INSERT INTO needs VALUES (1, ('a', '{b}')), (2, NULL)"
STREAMS+='
- { name: needs }' PIPELINE=types_made STATE=made write_mode=append EXTRA="resources: { compression: none$limits }"
dst_sql 'DROP SCHEMA IF EXISTS raw CASCADE' 2>/dev/null
pipeline "$TAP_DIR/p.yaml"
RUN_TIMEOUT_S=200 run_is 0 "all types are made" "$RAPIDBYTE" run "$TAP_DIR/p.yaml"
same needs "values of a domain that is NOT NULL"
# made <sql function> <schema> <query>: with one schema's name for both.
made() {
    "$1" "SET search_path = $2, ext_src, ext_dst; SET quote_all_identifiers = off; $3"
}
for what in enums domains composites ranges; do
    case $what in
    enums) query="SELECT t.typname, array_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum JOIN pg_type t ON t.oid = enumtypid" ;;
    domains) query="SELECT t.typname, format_type(t.typbasetype, t.typtypmod), t.typnotnull, l.collname,
        array_agg(k.conname || ' ' || pg_get_constraintdef(k.oid) ORDER BY k.conname) FROM pg_type t
        LEFT JOIN pg_constraint k ON k.contypid = t.oid AND k.contype = 'c' LEFT JOIN pg_collation l ON l.oid = t.typcollation" ;;
    composites) query="SELECT t.typname, array_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || coalesce(l.collname, '') ORDER BY a.attnum)
        FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid AND NOT a.attisdropped LEFT JOIN pg_collation l ON l.oid = a.attcollation" ;;
    ranges) query="SELECT t.typname, format_type(rngsubtype, NULL), l.collname, o.opcname FROM pg_range JOIN pg_type t ON t.oid = rngtypid
        JOIN pg_opclass o ON o.oid = rngsubopc LEFT JOIN pg_collation l ON l.oid = rngcollation" ;;
    esac
    groups='1'
    [[ $what == enums || $what == composites ]] || groups='1, 2, 3, 4'
    query+=" WHERE t.typnamespace = current_schema()::regnamespace AND t.typtype = '${what:0:1}' AND (t.typrelid = 0 OR (SELECT relkind FROM pg_class WHERE oid = t.typrelid) = 'c')
        GROUP BY $groups ORDER BY 1"
    expected=$(made src_sql public "$query")
    isnt "$expected" "" "there are $what"
    is "$(made dst_sql raw "$query")" "$expected" "types that users made are the same: $what"
done

# What can't be carried is refused by column and type, and leaves nothing.
refused() { # <table> <expected> <name>
    STREAMS="- { name: $1 }" PIPELINE=refused_$1 STATE=refused
    pipeline "$TAP_DIR/p.yaml"
    run "$RAPIDBYTE" run "$TAP_DIR/p.yaml"
    is "$status" 5 "$3: the run fails" || diag "$stdout $stderr"
    like "$stderr" "$2" "$3"
    is "$(dst_sql "SELECT to_regclass('raw.$1')")" "" "$3: no table"
}
EXTRA='' write_mode=append load_method=copy
dst_sql 'DROP SCHEMA raw CASCADE; CREATE SCHEMA raw' 2>/dev/null
dst_sql "CREATE TYPE raw.mood AS ENUM ('sad', 'happy')"
refused m_enum "column \"v\", type public.mood: type \"raw\".\"mood\" exists with other labels" "an enum with other labels"
dst_sql "CREATE DOMAIN raw.positive AS integer CHECK (VALUE > 1)"
refused m_domain2 "type \"raw\".\"positive\" exists with another definition" "a domain below it with another check"
dst_sql "DROP EXTENSION citext CASCADE" 2>/dev/null
refused m_citext "column \"v\", type ext_src.citext: type citext is of the extension \"citext\", which database \"dst\" does not have" \
    "an extension that is missing"
# A domain's check is the source's SQL, which the destination evaluates: it may look at a value, and do nothing else.
src_sql "CREATE FUNCTION own(text) RETURNS bool STABLE LANGUAGE sql AS 'SELECT true'; CREATE FUNCTION pure(text) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT true';
    CREATE DOMAIN writes AS text CHECK (VALUE <> 'x' AND query_to_xml('CREATE TABLE public.mine (a int)', true, true, '') IS NOT NULL);
    CREATE DOMAIN reads AS text CHECK (table_to_xml('pg_authid', true, true, '') IS NOT NULL); CREATE DOMAIN calls AS text CHECK (own(VALUE));
    CREATE DOMAIN computes AS text CHECK (VALUE ~ '^[a-z]+\$' AND length(VALUE) < 10 AND VALUE = ANY ('{a,b}'::text[]) AND now() > '2020-01-01' AND pure(VALUE))
        CHECK (lower(VALUE) COLLATE \"C\" NOT IN ('c', 'd') AND (VALUE, 1) IS DISTINCT FROM ('e', 1) AND greatest(VALUE, 'a') BETWEEN 'a' AND 'z');
    CREATE TABLE d_writes (v writes[]); CREATE TABLE d_reads (v reads); CREATE TABLE d_calls (v calls); CREATE TABLE d_computes (v computes); INSERT INTO d_computes VALUES ('a')"
pure="CREATE FUNCTION raw.pure(text) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT true'"
dst_sql "CREATE FUNCTION raw.own(text) RETURNS bool STABLE LANGUAGE sql AS 'SELECT true'; $pure"
refused d_writes "a check of the source's domain calls query_to_xml\(" "a check that runs SQL"
refused d_reads "a check of the source's domain calls table_to_xml\(" "a check that reads a table"
refused d_calls "a check of the source's domain calls raw.own\(text\)" "a check that calls a function that is not immutable"
is "$(dst_sql "SELECT count(*) FROM pg_type WHERE typname IN ('writes', 'reads', 'calls')")" 0 "none of these domains is made"
STREAMS='- { name: d_computes }' PIPELINE=computes STATE=computes
pipeline "$TAP_DIR/p.yaml"
run_is 0 "checks that compute" "$RAPIDBYTE" run "$TAP_DIR/p.yaml"
same d_computes "a domain with checks that compute"
dst_sql "CREATE DOMAIN raw.calls AS text CHECK (raw.own(VALUE))"
STREAMS='- { name: d_calls }' PIPELINE=calls STATE=calls
pipeline "$TAP_DIR/p.yaml"
run_is 0 "a domain that the operator made" "$RAPIDBYTE" run "$TAP_DIR/p.yaml"
src_sql "CREATE TYPE by_pattern AS RANGE (SUBTYPE = text, SUBTYPE_OPCLASS = text_pattern_ops); CREATE TABLE m_by_pattern (v by_pattern)"
refused m_by_pattern "made of functions of that server" "a range with an operator class of its own"
src_sql "CREATE TABLE other (a int); CREATE TABLE row_of_other (v other)"
refused row_of_other "it is the row type of a table" "a row type of a table"
src_sql "CREATE TABLE reg (v regclass); INSERT INTO reg VALUES ('pg_class'), ('other')"
refused reg "relation \"public.other\" does not exist" "a value that is not there"
done_testing

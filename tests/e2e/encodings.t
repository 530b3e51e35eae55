#!/bin/bash
# Databases of other encodings than UTF-8: characters arrive exact where the destination has them, and
# the row and its column are named where it does not. A database in SQL_ASCII knows bytes alone.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pg_start main || bail "no PostgreSQL"
p=$TAP_DIR/p.yaml

# <encoding> <words that it has, in UTF-8>
ENCODINGS='LATIN1 café,straße,ñandú
LATIN2 łódź,Žižek,ősz
LATIN5 İstanbul,ığdır,şişe
LATIN9 cœur,10 €,Žižka
KOI8R привет,Ёлка,мир
WIN1251 привет,Їжак,№5
WIN1252 café,“quoted”,10 €
EUC_JP 日本語,カタカナ,ひらがな
EUC_KR 한국어,서울,대한민국'

# make_database <name> <encoding>
make_database() {
    pg_sql "DROP DATABASE IF EXISTS $1" 2>/dev/null
    pg_sql "CREATE DATABASE $1 ENCODING '$2' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    rm -f "$TAP_DIR"/state.db*
}
# words <function> <table>: what it holds, in UTF-8, whatever the database's encoding.
words() { "$1" "SELECT id, encode(convert_to(word, 'UTF8'), 'hex'), encode(convert_to(more[1], 'UTF8'), 'hex'), encode(convert_to(kind::text, 'UTF8'), 'hex') FROM $2 ORDER BY id"; }
fill() {
    PGCLIENTENCODING=UTF8 src_sql "CREATE TYPE kind AS ENUM ('${1%%,*}');
        CREATE TABLE words (id int PRIMARY KEY, word text, more varchar(40)[], kind kind);
        INSERT INTO words SELECT i, w, ARRAY[w, 'ascii'], '${1%%,*}' FROM unnest(string_to_array('$1', ',')) WITH ORDINALITY AS t(w, i)"
}

while read -r encoding list; do
    for pair in "$encoding UTF8 copy" "UTF8 $encoding insert" "$encoding $encoding copy"; do
        read -r from to load_method <<<"$pair"
        make_database src "$from"
        make_database dst "$to"
        fill "$list"
        STREAMS='- { name: words, primary_key: [id] }' write_mode=upsert pipeline "$p"
        run_is 0 "$from to $to: runs" "$RAPIDBYTE" run "$p"
        is "$(words dst_sql raw.words)" "$(words src_sql public.words)" "$from to $to: identical"
        cmp_ok "$(words dst_sql raw.words | wc -l)" -gt 2 "$from to $to: all rows"
    done
done <<<"$ENCODINGS"
run_is 0 "of one encoding: verify compares texts" "$RAPIDBYTE" verify "$p"

# <from> <to> <a word as SQL, beside "ok"> <code>: of the two rows one is refused, and named.
refuses() {
    make_database src "$1"
    make_database dst "$2"
    PGCLIENTENCODING=$1 src_sql "CREATE TABLE words (id int PRIMARY KEY, word text); INSERT INTO words VALUES (1, 'ok'), (2, $3)"
    local load_method
    for load_method in copy insert; do
        rm -f "$TAP_DIR"/state.db*
        STREAMS='- { name: words }' pipeline "$p"
        run "$RAPIDBYTE" run "$p"
        like "$stderr" 'row 2 \(id = 2\).* column "word": ' "$1 to $2, $load_method: row and column are named"
        like "$stderr" "SQLSTATE: $4" "$1 to $2, $load_method: with the reason"
        is "$(dst_sql "SELECT to_regclass('raw.words')")" '' "$1 to $2, $load_method: nothing shows"
        STREAMS='- { name: words }' DEST_EXTRA='on_data_error: dlq' pipeline "$p"
        run_is 0 "$1 to $2, $load_method: kept aside" "$RAPIDBYTE" run "$p"
        is "$(dst_sql 'SELECT id, word FROM raw.words') $(dst_sql 'SELECT position, sqlstate FROM raw.words__rejected')" "1|ok 2|$4" "$1 to $2, $load_method: that row alone"
        dst_sql 'DROP SCHEMA raw CASCADE; DROP SCHEMA _rapidbyte CASCADE' 2>/dev/null
    done
}
refuses UTF8 LATIN1 "U&'\\0416'" 22P05
refuses SQL_ASCII UTF8 "E'caf\\xe9'" 22021
refuses SQL_ASCII LATIN1 "E'caf\\xe9'" 22021

# Bytes between two that know no characters; those of a database in UTF-8 stay what they are.
for load_method in copy insert; do
    make_database src SQL_ASCII
    make_database dst SQL_ASCII
    PGCLIENTENCODING=SQL_ASCII src_sql "CREATE TABLE words (id int PRIMARY KEY, word text, more text[]); INSERT INTO words VALUES (1, E'caf\\xe9', ARRAY[E'\\xff\\xfe'])"
    STREAMS='- { name: words }' pipeline "$p"
    run_is 0 "SQL_ASCII to SQL_ASCII, $load_method: runs" "$RAPIDBYTE" run "$p"
    is "$(dst_sql "SELECT encode(word::bytea, 'hex'), encode(more[1]::bytea, 'hex') FROM raw.words")" '636166e9|fffe' "SQL_ASCII to SQL_ASCII, $load_method: the same bytes"
done
make_database src UTF8
PGCLIENTENCODING=UTF8 src_sql "CREATE TABLE words (id int PRIMARY KEY, word text); INSERT INTO words VALUES (1, 'café')"
make_database dst SQL_ASCII
STREAMS='- { name: words }' pipeline "$p"
run_is 0 "UTF8 to SQL_ASCII: runs" "$RAPIDBYTE" run "$p"
is "$(dst_sql "SELECT encode(word::bytea, 'hex') FROM raw.words")" 636166c3a9 "UTF8 to SQL_ASCII: the same bytes"

# A statement of ours with another character than ASCII's would fail in most of these.
printf 'SELECT 1 -- caf\xc3\xa9\n' >"$TAP_DIR/bad.sql"
run tools/embed-sql "$TAP_DIR/out.c" "$TAP_DIR/out.h" "$TAP_DIR/bad.sql"
isnt "$status" 0 "a statement that is not ASCII is not built"
like "$stderr" 'not ASCII' "and it says so"
done_testing

#!/bin/bash
# What PostgreSQL 18 brought: keys WITHOUT OVERLAPS, NOT NULL that is NOT VALID, virtual generated columns. ./setup fetches such a
# server (./setup --minors).
# shellcheck disable=SC2119
. "$(dirname "$0")/../lib/tap.sh"

bin=$(./setup --minors | grep '/minor-18')
[[ -x $bin/postgres ]] || bail "./setup has fetched no PostgreSQL 18"
# root's servers run as another user, who has to reach them.
chmod 755 "$TAP_DIR"
cp -a "$(dirname "$bin")" "$TAP_DIR/server"
export PG_BIN=$TAP_DIR/server/bin
. tests/lib/agree.sh
agree_begin
for sql in src_sql dst_sql; do
    $sql 'CREATE SCHEMA e; CREATE EXTENSION btree_gist SCHEMA e; ALTER DATABASE '${sql%_sql}' SET search_path = public, e'
done

# ---- Rows that are older than a NOT NULL.
for mode in append upsert replace 'replace, replace_method: truncate'; do
    for target in '' 'CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL)'; do
        case_of 'CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, NULL), (2, 5); ALTER TABLE t ADD CONSTRAINT c NOT NULL a NOT VALID' "$target"
        STREAMS="- { name: t, write_mode: $mode }" document
        what="NOT NULL that is NOT VALID ($mode, ${target:+an old table}${target:-a new one})"
        moves "${what%% (id*}"
        same t "${what%% (id*}: every row is there"
    done
done
case_of 'CREATE TABLE t (id int PRIMARY KEY, d numeric, a int); INSERT INTO t VALUES (1, 1, NULL); ALTER TABLE t ADD CONSTRAINT c NOT NULL a NOT VALID;
    CREATE DOMAIN whole AS int; ALTER TABLE t ADD w whole; CREATE TABLE u (id int NOT NULL); INSERT INTO u VALUES (1)' ''
STREAMS=$'- { name: t }\n- { name: u }' document
moves "the same beside a domain"
same t "the same beside a domain: every row is there"
is "$(dst_sql "SELECT attnotnull FROM pg_attribute WHERE attrelid = 'raw.u'::regclass AND attname = 'id'")" t "a NOT NULL that is valid is made"

# ---- Columns that are computed when they are read.
case_of 'CREATE TABLE t (id int PRIMARY KEY, a int, total int); INSERT INTO t VALUES (1, 2, 99)' \
    'CREATE TABLE t (id int PRIMARY KEY, a int, total int GENERATED ALWAYS AS (a + 3) VIRTUAL)'
for mode in append upsert replace; do
    STREAMS="- { name: t, write_mode: $mode }" document
    agree 5 'column "total" of table "t" is generated.*columns' "a virtual column that the stream has values for ($mode)"
done
STREAMS='- { name: t, columns: [id, a], write_mode: append }' document
moves "a virtual column that is left out"
case_of 'CREATE TABLE t (id int PRIMARY KEY, a int, total int GENERATED ALWAYS AS (a + 3) VIRTUAL); INSERT INTO t VALUES (1, 2)' ''
for mode in append upsert replace; do
    STREAMS="- { name: t, write_mode: $mode }" document
    dst_sql 'DROP TABLE IF EXISTS raw.t'
    moves "a virtual column of the source ($mode)"
    same t "a virtual column of the source: its value is there ($mode)"
done

# ---- Keys WITHOUT OVERLAPS.
periods='CREATE TABLE t (id int, at int4range, v int, PRIMARY KEY (id, at WITHOUT OVERLAPS), UNIQUE (v, at WITHOUT OVERLAPS))'
rows="INSERT INTO t VALUES (1, '[1,4)', 1), (1, '[4,9)', 2), (2, '[1,4)', 3)"
keys="SELECT string_agg(pg_get_constraintdef(oid), ' ' ORDER BY contype, conname) FROM pg_constraint WHERE conrelid = 'raw.t'::regclass AND contype IN ('p', 'u')"
case_of "$periods; $rows" "SET search_path = raw, e; $periods"
STREAMS='- { name: t, write_mode: upsert }' document
agree 5 'the key of "raw"."t" on these columns is WITHOUT OVERLAPS.*another primary_key' "an upsert by a key WITHOUT OVERLAPS"
for mode in append replace 'replace, replace_method: truncate'; do
    STREAMS="- { name: t, write_mode: $mode }" document
    dst_sql 'DELETE FROM raw.t'
    moves "a key WITHOUT OVERLAPS ($mode)"
    same t "a key WITHOUT OVERLAPS: every row is there ($mode)"
    like "$(dst_sql "$keys")" 'PRIMARY KEY .id, at WITHOUT OVERLAPS. UNIQUE .v, at WITHOUT OVERLAPS.' "a key WITHOUT OVERLAPS stays ($mode)"
done
src_sql "DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (1, '[1,9)', 1)"
STREAMS='- { name: t, write_mode: append }' PIPELINE=overlap document
run_is 5 "a row that overlaps with one that is there" "$RAPIDBYTE" run "$p"
like "$stderr" 't_pkey' "a row that overlaps: the key is named"
for indexes in primary_key all; do
    case_of "$periods; $rows" ''
    STREAMS="- { name: t, write_mode: append, indexes: $indexes }" document
    moves "indexes: $indexes of a key WITHOUT OVERLAPS"
    like "$stderr" 'table "t": its primary key is WITHOUT OVERLAPS' "indexes: $indexes: what the new key does not do is said"
    same t "indexes: $indexes: every row is there"
    is "$(dst_sql "$keys")" 'PRIMARY KEY (id, at)' "indexes: $indexes: the key has the same columns"
    is "$([[ $indexes != all ]] || grep -c 'index "t_v_at_key" of the source is not made' <<<"$stderr")" "$([[ $indexes != all ]] || echo 1)" "indexes: $indexes: a unique constraint of that kind is left out with a word"
done
case_of "$periods; $rows" ''
STREAMS='- { name: t, write_mode: upsert }' document
moves "an upsert into a new table, by the same columns"
src_sql "UPDATE t SET v = v + 10"
moves "an upsert into it again"
same t "an upsert into it again: every row is there"
agree_end
done_testing

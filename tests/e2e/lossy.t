#!/bin/bash
# Types of extensions whose text loses digits: refused by column, or moved where that is wanted.
# shellcheck disable=SC2119
. "$(dirname "$0")/../lib/tap.sh"
. tests/lib/agree.sh
agree_begin
src_sql 'CREATE SCHEMA e; CREATE EXTENSION seg SCHEMA e; CREATE EXTENSION cube SCHEMA e'
dst_sql 'CREATE SCHEMA e; CREATE EXTENSION seg SCHEMA e; CREATE EXTENSION cube SCHEMA e'
table="CREATE DOMAIN span AS e.seg; CREATE TYPE pair AS (n int, s e.seg); CREATE TABLE t (id int PRIMARY KEY, s e.seg, ss e.seg[], d span, p pair, seg text, c e.cube);
    INSERT INTO t VALUES (1, '1.23456789', '{1,2}', '1', (1, '2'), 'x', '(1.23456789)')"
for load_method in copy insert; do
    case_of "$table" ''
    for column in s ss d p; do
        STREAMS="- { name: t, columns: [id, $column] }" document
        agree 3 "column \"$column\" .*: values of seg travel by their text, which has fewer digits.*on_lossy_type: warn" "seg in $column ($load_method)"
    done
    STREAMS='- { name: t, columns: [id, seg, c] }' document
    moves "a column called seg, and a cube ($load_method)"
    unlike "$stderr" 'lose digits' "a column called seg, and a cube: nothing is said ($load_method)"
    is "$(dst_sql 'SELECT c FROM raw.t')" '(1.23456789)' "a cube is exact ($load_method)"
    case_of "$table" ''
    STREAMS='- { name: t }' SOURCE_CONFIG='on_lossy_type: warn,' document
    moves "on_lossy_type: warn ($load_method)"
    like "$stderr" 'column "s" .e.seg.: values of seg travel by their text, and may lose digits' "on_lossy_type: warn: it is said ($load_method)"
    is "$(dst_sql 'SELECT s, ss, p FROM raw.t')" "$(src_sql 'SELECT s, ss, p FROM t')" "on_lossy_type: warn: what the text says ($load_method)"
done
agree_end
done_testing

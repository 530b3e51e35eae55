#!/bin/bash
# Tables that inherit from others: each row arrives once, whichever of them are streams.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
. "$ROOT/tests/lib/faults.sh"
pg_start main || bail "no PostgreSQL"
databases
p=$TAP_DIR/p.yaml
tables='CREATE TABLE p (id int, v text); CREATE TABLE c (extra int) INHERITS (p); CREATE TABLE d () INHERITS (c); CREATE TABLE e () INHERITS (p)'
src_sql "$tables; INSERT INTO p VALUES (1, 'p'); INSERT INTO c VALUES (2, 'c'); INSERT INTO d VALUES (3, 'd'); INSERT INTO e VALUES (4, 'e')"

# own: the rows that each table at the destination has for itself.
own() { dst_sql "SELECT string_agg(tableoid::regclass || ':' || id, ' ' ORDER BY id, tableoid::regclass::text) FROM raw.$1"; }

# At the destination they inherit, too.
for load_method in copy insert; do
    fresh
    dst_sql "CREATE SCHEMA raw; SET search_path = raw; $tables"
    STREAMS='- "*"' write_mode=append pipeline "$p"
    run_is 0 "the same tables at the destination, $load_method: run" "$RAPIDBYTE" run "$p"
    is "$(own p)" "raw.p:1 raw.c:2 raw.d:3 raw.e:4" "the same tables at the destination, $load_method: each row once, in its own table"
done
# They don't: rapidbyte makes them.
fresh
STREAMS='- "*"' write_mode=replace pipeline "$p"
run_is 0 "tables of rapidbyte's: run" "$RAPIDBYTE" run "$p"
is "$(own p) $(own c) $(own d) $(own e)" "raw.p:1 raw.c:2 raw.d:3 raw.e:4" "tables of rapidbyte's: each row once"
run_is 0 "tables of rapidbyte's: verify" "$RAPIDBYTE" verify "$p"
run_is 0 "a parent alone of them: run" "$RAPIDBYTE" run "$p" --streams p
is "$(own p)" "raw.p:1" "a parent alone of them: the others are still streams"

# The parent alone is what SELECT shows.
fresh
STREAMS='- { name: p }' write_mode=replace pipeline "$p"
run_is 0 "the parent alone: run" "$RAPIDBYTE" run "$p"
is "$(own p)" "raw.p:1 raw.p:2 raw.p:3 raw.p:4" "the parent alone: with the rows of its children"
run_is 0 "the parent alone: verify" "$RAPIDBYTE" verify "$p"
# Some of them.
fresh
STREAMS='- { name: p, where: id > 0 }
- { name: c, destination_table: of_c }' write_mode=replace pipeline "$p"
run_is 0 "the parent and one child: run" "$RAPIDBYTE" run "$p"
is "$(own p) $(own of_c)" "raw.p:1 raw.p:4 raw.of_c:2 raw.of_c:3" "the parent and one child: its grandchild comes with the child"
run_is 0 "the parent and one child: verify" "$RAPIDBYTE" verify "$p"
# By a cursor.
fresh
STREAMS='- { name: p, sync_mode: incremental, cursor_field: id }
- { name: c }' write_mode=append pipeline "$p"
run_is 0 "incremental: run" "$RAPIDBYTE" run "$p"
src_sql "INSERT INTO c VALUES (5, 'c'); INSERT INTO e VALUES (6, 'e')"
run_is 0 "incremental: again" "$RAPIDBYTE" run "$p" --streams p
is "$(own p)" "raw.p:1 raw.p:4 raw.p:6" "incremental: what is new in those that are no streams"

# What a reader asks of a table of many partitions: the rows that the server goes through for it grow with their number, and not with
# its square.
# rows_gone_through <partitions>
rows_gone_through() {
    src_sql "DROP TABLE IF EXISTS many; CREATE TABLE many (id int) PARTITION BY LIST (id)"
    src_sql "DO \$\$ BEGIN FOR i IN 1..$1 LOOP EXECUTE format('CREATE TABLE many_%s PARTITION OF many FOR VALUES IN (%s)', i, i); END LOOP; END \$\$"
    src_sql 'ANALYZE pg_inherits; ANALYZE pg_class'
    src_sql "SET work_mem = '64kB'; PREPARE s (oid, text) AS $(cat connectors/postgres/source/sql/rewritten.sql);
        EXPLAIN (ANALYZE, FORMAT json) EXECUTE s ('many'::regclass, 'public.many')" | python3 -c '
import json, sys
def rows(node):
    each = node["Actual Rows"] + sum(v for k, v in node.items() if k.startswith("Rows Removed by"))
    return node["Actual Loops"] * each + sum(map(rows, node.get("Plans", [])))
print(int(rows(json.load(sys.stdin)[0]["Plan"])))'
}
many=$(rows_gone_through 1000)
[[ $many -gt 1000 && $many -lt 100000 ]]
is $? 0 "many partitions: less than a hundred rows for each of a thousand ($many)"
src_sql 'DROP TABLE many'
done_testing

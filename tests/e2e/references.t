#!/bin/bash
# Tables at the destination that refer to each other by foreign keys: a table is loaded after those that it refers to, wherever it stands.
. "$(dirname "$0")/../lib/tap.sh"
. tests/lib/pg.sh
. tests/lib/pipeline.sh

pg_start || bail "no PostgreSQL server"
databases
p=$TAP_DIR/p.yaml
src_sql "CREATE TABLE grandchild (id int PRIMARY KEY, child int); CREATE TABLE child (id int PRIMARY KEY, parent int);
    CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent SELECT generate_series(1, 50000);
    INSERT INTO child SELECT i, i FROM generate_series(1, 500) i; INSERT INTO grandchild SELECT i, i FROM generate_series(1, 50) i"
targets() {
    dst_sql "SET client_min_messages = error; DROP SCHEMA IF EXISTS raw CASCADE; DROP SCHEMA IF EXISTS _rapidbyte CASCADE; CREATE SCHEMA raw; SET search_path = raw;
        CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent);
        CREATE TABLE grandchild (id int PRIMARY KEY, child int REFERENCES child)"
    rm -f "$TAP_DIR"/*.db*
}
export STREAMS='- { name: grandchild }
- { name: child }
- { name: parent }'
for mode in append upsert; do
    for lanes in 1 3; do
        targets
        EXTRA="resources: { parallelism: $lanes }" write_mode=$mode pipeline "$p"
        run_is 0 "$mode, $lanes lanes: check" "$RAPIDBYTE" check "$p"
        run_is 0 "$mode, $lanes lanes: children that are listed first" "$RAPIDBYTE" run "$p"
        for table in parent child grandchild; do same "$table" "$mode, $lanes lanes: $table"; done
    done
done
targets
load_method=insert write_mode=append pipeline "$p"
run_is 0 "by INSERT: children that are listed first" "$RAPIDBYTE" run "$p"
same grandchild "by INSERT: grandchild"

# A table that fails keeps no other from being tried.
targets
dst_sql 'ALTER TABLE raw.parent ADD CHECK (id < 40000)'
write_mode=append pipeline "$p"
run "$RAPIDBYTE" run "$p"
like "$stderr" 'stream .parent.: .*parent_id_check' "a parent that fails: is named"
like "$stderr" 'stream .child.: .*child_parent_fkey' "a parent that fails: its child was tried"
like "$stderr" 'in one document its stream goes first by itself' "a parent that fails: the hint"

# In a circle the document's order is kept, and each table is loaded once.
targets
dst_sql 'ALTER TABLE raw.parent ADD child int; ALTER TABLE raw.parent ADD FOREIGN KEY (child) REFERENCES raw.child'
STREAMS='- { name: parent }
- { name: child }
- { name: grandchild }' write_mode=upsert pipeline "$p"
run_is 0 "a circle that no row closes: the document's order" "$RAPIDBYTE" run "$p"
is "$(dst_sql 'SELECT count(*) FROM raw.child')" 500 "a circle that no row closes: every row"

# A table that refers to itself: its rows come in any order.
src_sql 'CREATE TABLE chain (id int PRIMARY KEY, boss int); INSERT INTO chain SELECT i, nullif(i + 1, 100001) FROM generate_series(1, 100000) i'
own() {
    targets
    dst_sql 'CREATE TABLE raw.chain (id int PRIMARY KEY, boss int REFERENCES raw.chain)'
    STREAMS='- { name: chain }' write_mode=append pipeline "$p"
}
load_method=insert own
run_is 5 "a row before the one that it refers to, by INSERT" "$RAPIDBYTE" run "$p"
like "$stderr" 'where the table refers to itself, set load_method: copy' "a row before the one that it refers to, by INSERT: the way on"
load_method=copy own
run_is 0 "a row before the one that it refers to, by COPY" "$RAPIDBYTE" run "$p"
same chain "a row before the one that it refers to, by COPY: every row"
done_testing

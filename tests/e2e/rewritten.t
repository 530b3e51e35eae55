#!/bin/bash
# A table that is rewritten, replaced or altered between the run's snapshot and its reading would look empty under the snapshot, or
# be read by the wrong columns. Nothing is locked against that before it is read.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
. "$ROOT/tests/lib/faults.sh"
pg_start main || bail "no PostgreSQL"
databases
p=$TAP_DIR/p.yaml
make_gate src
src_sql "CREATE TABLE first (id int); INSERT INTO first SELECT generate_series(19999, 20001);
    CREATE ROLE columns_only LOGIN; GRANT SELECT ON first TO columns_only; GRANT EXECUTE ON FUNCTION gate(int) TO columns_only"

# made <statements>: table t anew, with 100 rows, of which columns_only may read the columns.
made() {
    fresh
    src_sql "SET client_min_messages = warning; DROP VIEW IF EXISTS v; DROP MATERIALIZED VIEW IF EXISTS m; DROP TABLE IF EXISTS t CASCADE; DROP TABLE IF EXISTS t2, other;
        ${1:-CREATE TABLE t (id int, v text)}; INSERT INTO t SELECT g, 'old' FROM generate_series(1, 100) g; GRANT SELECT (id, v) ON t TO columns_only"
}

# meanwhile <table to read> <statements> <name>: they come after the snapshot, and before the table's turn.
meanwhile() {
    STREAMS="- { name: first, where: public.gate(id) }
- { name: $1, destination_table: t }" pipeline "$p"
    [[ ${role:-} == owner ]] || sed -i '/database: src/s/user: postgres, password: postgres/user: columns_only, password: x/' "$p"
    close_gate src
    launch "$RAPIDBYTE" run "$p"
    wait_until "$PATIENCE_S" at_gate src || bail "the first stream does not come to the gate: $(<"$TAP_STDERR")"
    src_sql "$2" >/dev/null || bail "the source can't be changed: $2"
    open_gate src
    finish
    is "$status" 0 "$3: it runs" || diag "$stderr"
    like "$stderr" 'rewritten or replaced' "$3: it was seen"
    is "$(dst_sql 'SELECT count(*), min(v::text), max(v::text), min(id) FROM raw.t')" \
        "$(src_sql "SELECT count(*), min(v::text), max(v::text), min(id) FROM $1")" "$3: what is there now is read"
}

made
meanwhile t "TRUNCATE t; INSERT INTO t SELECT g, 'new' FROM generate_series(1, 70) g" "truncated and filled"
made
meanwhile t "ALTER TABLE t ALTER v TYPE varchar(7) USING v || '!'" "rewritten by ALTER TABLE"
made
meanwhile t "CREATE TABLE other (id int, v text); INSERT INTO other SELECT g, 'new' FROM generate_series(1, 70) g;
    GRANT SELECT (id, v) ON other TO columns_only; BEGIN; DROP TABLE t; ALTER TABLE other RENAME TO t; COMMIT" "replaced by another table"
parts='CREATE TABLE t (id int, v text) PARTITION BY RANGE (id); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (50);
    CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (50) TO (1000)'
made "$parts"
src_sql "CREATE TABLE other (id int, v text); INSERT INTO other VALUES (1000, 'attached')"
meanwhile t "ALTER TABLE t ATTACH PARTITION other FOR VALUES FROM (1000) TO (2000)" "a partition attached"
# The plan locks partitions as it looks at them, just after the snapshot: here, what comes between the two.
# seen <statements>: what the source's question finds when they come after its snapshot.
seen() {
    src_sql <<SQL
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT 't'::regclass::oid AS oid \gset
SELECT;
\! "$PG_BIN/psql" -qX -h "$PG_SOCKET" -p "$PG_PORT" -U postgres -c "$1" src >/dev/null
$(sed "s/\$1/:oid/g; s/\$2/'t'/g" connectors/postgres/source/sql/rewritten.sql)
SQL
}
for change in 'ANALYZE t=' 'TRUNCATE t2=public.t2' 'ALTER TABLE t DETACH PARTITION t2=t2'; do
    made "$parts"
    is "$(seen "${change%=*}")" "${change##*=}" "partitions: ${change%=*}"
done
made
src_sql 'CREATE VIEW v AS SELECT * FROM t; GRANT SELECT (id, v) ON v TO columns_only'
meanwhile v "TRUNCATE t; INSERT INTO t SELECT g, 'new' FROM generate_series(1, 70) g" "the table of a view truncated and filled"
made
src_sql 'CREATE MATERIALIZED VIEW m AS SELECT * FROM t; GRANT SELECT ON m TO columns_only'
meanwhile m "UPDATE t SET v = 'new'; REFRESH MATERIALIZED VIEW m" "a materialized view refreshed"
# What the owner may do, whose role could lock everything.
role=owner
made
meanwhile t "TRUNCATE t; INSERT INTO t SELECT g, 'new' FROM generate_series(1, 70) g" "owner: truncated and filled"
made
meanwhile t "VACUUM FULL t" "owner: VACUUM FULL"
made 'CREATE TABLE t (id int, v text, other text)'
meanwhile t "UPDATE t SET other = 'other'; ALTER TABLE t RENAME v TO x; ALTER TABLE t RENAME other TO v; ALTER TABLE t RENAME x TO other" "owner: two columns exchanged their names"
made 'CREATE TABLE t (id int, v text, gone int)'
meanwhile t "ALTER TABLE t DROP gone" "owner: a column dropped"
made 'CREATE TABLE t (id int, v varchar(10))'
meanwhile t "ALTER TABLE t ALTER v TYPE varchar(20); UPDATE t SET v = 'longer than ten'" "owner: a column's type changed without rewriting"
made "$parts"
src_sql "CREATE TABLE other (id int, v text); INSERT INTO other VALUES (1000, 'attached')"
meanwhile t "ALTER TABLE t ATTACH PARTITION other FOR VALUES FROM (1000) TO (2000)" "owner: a partition attached"
made "$parts"
meanwhile t "ALTER TABLE t DETACH PARTITION t2; INSERT INTO t VALUES (1, 'kept')" "owner: a partition detached"
made "$parts"
meanwhile t "TRUNCATE t2" "owner: a partition truncated"
made 'CREATE TABLE t (id int, v text); CREATE TABLE t2 () INHERITS (t)'
src_sql "INSERT INTO t2 VALUES (7, 'of the child')"
meanwhile t "ALTER TABLE t2 NO INHERIT t" "owner: a child that no longer inherits"
made
src_sql 'CREATE VIEW v AS SELECT * FROM t WHERE id < 50'
meanwhile v "CREATE OR REPLACE VIEW v AS SELECT * FROM t WHERE id > 50" "owner: a view with another query"
made
meanwhile t "CREATE TABLE other (id int, v text); INSERT INTO other SELECT g, 'new' FROM generate_series(1, 70) g;
    BEGIN; DROP TABLE t; ALTER TABLE other RENAME TO t; COMMIT" "owner: replaced by another table"

# untouched <statements> <name>: what does not change the rows of the snapshot is no reason for a new one.
untouched() {
    STREAMS="- { name: first, where: public.gate(id) }
- { name: t }" pipeline "$p"
    close_gate src
    launch "$RAPIDBYTE" run "$p"
    wait_until "$PATIENCE_S" at_gate src || bail "the first stream does not come to the gate: $(<"$TAP_STDERR")"
    src_sql "$1" >/dev/null || bail "the source can't be changed: $1"
    open_gate src
    finish
    is "$status" 0 "$2: it runs" || diag "$stderr"
    unlike "$stderr" 'rewritten or replaced' "$2: it is read under the run's snapshot"
    is "$(dst_sql 'SELECT count(*), min(v), max(v) FROM raw.t')" "100|old|old" "$2: as the snapshot shows it"
}
made
untouched "ALTER TABLE t ADD x int; INSERT INTO t VALUES (1000, 'new')" "a column added"
made
untouched "ALTER TABLE t ADD x int DEFAULT 7; UPDATE t SET v = 'new'; ANALYZE t; GRANT SELECT ON t TO columns_only" "a column with a default, new values, ANALYZE and GRANT"
made
untouched "CREATE TABLE other (x int) INHERITS (t); INSERT INTO other VALUES (1000, 'new', 1)" "a table that inherits from it since"
done_testing

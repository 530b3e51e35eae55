#!/bin/bash
# A catalogue query that takes a millisecond takes hundreds where the server compiles it first: our own statements run without JIT,
# whatever the server's settings are, and SQL of the user as its settings say.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
PG_OPTIONS=(shared_preload_libraries=pg_stat_statements pg_stat_statements.track=all pg_stat_statements.max=5000)
pg_start main || bail "no PostgreSQL"
databases
p=$TAP_DIR/p.yaml
[[ $(pg_sql 'SELECT pg_jit_available()') == t ]] || bail "the server has no JIT"
pg_sql "CREATE EXTENSION pg_stat_statements"
for database in src dst; do
    pg_sql "ALTER DATABASE $database SET jit = on; ALTER DATABASE $database SET jit_above_cost = 0;
        ALTER DATABASE $database SET jit_inline_above_cost = 0; ALTER DATABASE $database SET jit_optimize_above_cost = 0"
done
export PGOPTIONS='-c jit=off' # of the test's own statements
src_sql "CREATE TABLE t (id int PRIMARY KEY, v text, at timestamptz DEFAULT now()); INSERT INTO t SELECT g, g FROM generate_series(1, 1000) g;
    CREATE INDEX ON t (v); CREATE TYPE mood AS ENUM ('a'); CREATE TABLE m (id int PRIMARY KEY, v mood, n numeric(5, 2)); INSERT INTO m VALUES (1, 'a', 1);
    CREATE TABLE p (id int, v text) PARTITION BY RANGE (id); CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM (0) TO (1000); INSERT INTO p VALUES (1, 'b');
    CREATE VIEW w AS SELECT id, v || 'x' AS v FROM t"

# compiled <database> <LIKE>: the statements that match, and that the server has compiled.
compiled() {
    pg_sql "SELECT s.jit_functions, left(s.query, 300) FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
        WHERE d.datname = '$1' AND s.jit_functions > 0 AND s.query $2"
}
STREAMS='- { name: t, sync_mode: incremental, cursor_field: at, write_mode: upsert, primary_key: [id] }
- { name: appended, table: t, sync_mode: incremental, cursor_field: id }
- { name: swapped, table: t, write_mode: replace, indexes: all }
- { name: m, write_mode: replace, replace_method: truncate }
- { name: p, sync_mode: incremental, cursor_field: id }
- { name: w, where: "id > 10" }' EXTRA='resources: { parallelism: 2 }' pipeline "$p"
run_is 0 "discover" "$RAPIDBYTE" discover "$p"
run_is 0 "check" "$RAPIDBYTE" check "$p"
run_is 0 "run" "$RAPIDBYTE" run "$p"
src_sql "UPDATE t SET v = 'new', at = now() WHERE id <= 10; INSERT INTO t VALUES (2000, 'y')"
dst_sql 'ALTER TABLE raw.t ADD CHECK (id > 0)'
run_is 0 "run again" "$RAPIDBYTE" run "$p"
run_is 0 "check again" "$RAPIDBYTE" check "$p"
run_is 0 "verify" "$RAPIDBYTE" verify "$p" --streams t
is "$(compiled src "!~ '\"w\"'")" "" "the source's own statements are not compiled"
isnt "$(compiled src "~ 'COPY .*\"w\"'")" "" "a view is, where the user's settings say so"
is "$(compiled dst "!~ '^INSERT INTO .raw.\..t. '")" "" "the destination's own statements are not compiled"
isnt "$(compiled dst "~ '^INSERT INTO .raw.\..t. '")" "" "rows into a table with a check of the user's are"
same t "all rows are there"

# Thousands of partitions: those that the last run knew are not looked up one by one, which would take the square of their number.
like "$(src_sql "SET plan_cache_mode = force_generic_plan; PREPARE leaves AS $(<connectors/postgres/source/sql/leaves.sql); EXPLAIN EXECUTE leaves('p'::regclass, '{}')")" \
    'NOT \(?hashed SubPlan' "known partitions are compared by a hash"
done_testing

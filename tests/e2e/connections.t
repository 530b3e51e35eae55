#!/bin/bash
# Fewer connections than lanes: the lanes that have theirs take the streams of the others.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
. "$ROOT/tests/lib/faults.sh"
pg_start main || bail "no PostgreSQL"
databases
p=$TAP_DIR/p.yaml
src_sql 'CREATE ROLE few LOGIN; GRANT pg_read_all_data TO few; ALTER DATABASE dst OWNER TO few'
for i in 1 2 3 4; do src_sql "CREATE TABLE t$i AS SELECT g AS id, repeat('x', 100) AS pad FROM generate_series(1, 30000) g"; done

# few <limit> <side> <streams>: the role of that side may have so many connections.
few() {
    fresh
    pg_sql "ALTER ROLE few CONNECTION LIMIT $1"
    STREAMS=$3 write_mode=replace EXTRA='resources: { parallelism: 3, max_memory: 512mb, max_retries: 0 }' pipeline "$p"
    sed -i "/database: $2/s/user: postgres/user: few/" "$p"
}
all='- { name: t1 }
- { name: t2 }
- { name: t3 }
- { name: t4 }'
for side in src dst; do
    for limit in 3 2; do
        few "$limit" "$side" "$all"
        run_is 0 "$limit connections at $side: run" "$RAPIDBYTE" run "$p"
        like "$stderr" "the run goes on with [12] lanes" "$limit connections at $side: says so"
        for t in t1 t2 t3 t4; do same "$t" "$limit connections at $side: $t"; done
    done
    few 1 "$side" "$all"
    run "$RAPIDBYTE" run "$p"
    isnt "$status" 0 "one connection at $side: fails"
    like "$stderr" "too many connections for role" "one connection at $side: says why"
done
# A stream in several units.
src_sql "CREATE TABLE large AS SELECT g AS id, repeat('x', 1000) AS pad FROM generate_series(1, 40000) g"
few 3 src '- { name: large }'
run_is 0 "a divided stream: run" "$RAPIDBYTE" run "$p"
like "$stderr" "the run goes on with 2 lanes" "a divided stream: says so"
same large "a divided stream: every row once"
done_testing

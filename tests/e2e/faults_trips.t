#!/bin/bash
# What a table costs the source in round trips, counted by a proxy that writes a line for each message (build/faults/pgproxy).
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pg_start main || bail "no PostgreSQL"
databases
p=$TAP_DIR/p.yaml
SOURCE_CONFIG='sslmode: disable,' # the proxy knows no TLS
src_sql "DO \$\$ BEGIN FOR i IN 1..22 LOOP EXECUTE format('CREATE TABLE many_%s AS SELECT %s AS id', i, i); END LOOP; END \$\$"
coproc PROXY { exec "$ROOT/build/faults/pgproxy" "$PG_PORT" list in ^ 1 "$TAP_DIR/messages" 2>/dev/null; }
at_exit kill "$PROXY_PID"
read -r SOURCE_PORT <&"${PROXY[0]}" || bail "the proxy does not start"

# trips <n> <members>: of a run of n streams, on one lane. A trip begins with a message to the server after one from it.
trips() {
    rm -f "$TAP_DIR/messages" "$TAP_DIR"/state.db*
    dst_sql 'DROP SCHEMA IF EXISTS raw, _rapidbyte CASCADE' 2>/dev/null
    STREAMS=$(for ((i = 1; i <= $1; i++)); do echo "- { name: many_$i$2 }"; done) write_mode=replace \
        EXTRA='resources: { parallelism: 1 }' pipeline "$p"
    again
}
again() {
    rm -f "$TAP_DIR/messages"
    timeout 60 "$RAPIDBYTE" run -q "$p" || return 1
    awk '$1 == "in" && last == "out" { n++ } { last = $1 } END { print n }' "$TAP_DIR/messages"
}
# One to lock it and see that it is unchanged, and one that brings its rows and gives the lock back: they are looked at together.
is $(($(trips 22 '') - $(trips 2 ''))) 40 "20 tables more are 40 round trips more"
# The filter is parsed before, and again under the lock.
is $(($(trips 22 ', where: id > 0') - $(trips 2 ', where: id > 0'))) 80 "20 tables with a filter more are 80 round trips more"
# A second incremental run: the cursor is looked at in the plan, and twice when it is read; its release is not waited for.
trips 2 ', sync_mode: incremental, cursor_field: id, write_mode: append' >/dev/null
few=$(again)
trips 22 ', sync_mode: incremental, cursor_field: id, write_mode: append' >/dev/null
is $(($(again) - few)) 200 "20 incremental tables more are 200 round trips more, when nothing is new"
done_testing

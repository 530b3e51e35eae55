#!/bin/bash
# Two engines with states of their own, of which one is held up between its plan and its begin: what the other has loaded
# meanwhile does not go back in time.
# shellcheck disable=SC2317,SC2329 # functions that wait_until is given
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
. "$ROOT/tests/lib/faults.sh"
pg_start main || bail "no PostgreSQL"
databases
src_sql "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, 'old' FROM generate_series(1, 100) g"
snapshot_is_out() { session src "state = 'idle in transaction'"; }
for mode in replace upsert; do
    for state in first second; do
        STREAMS="- { name: t, destination_table: $mode, write_mode: $mode }" PIPELINE=$mode STATE=$state pipeline "$TAP_DIR/$state.yaml"
    done
    src_sql "UPDATE t SET v = 'old'"
    run_is 0 "$mode: a first load" "$BUILD/faults/rapidbyte" run "$TAP_DIR/second.yaml"
    mkdir "$TAP_DIR/$mode"
    launch env RAPIDBYTE_FAULT="wait:BEGIN_CALL:1:$TAP_DIR/$mode" "$BUILD/faults/rapidbyte" run --no-os-sandbox "$TAP_DIR/second.yaml"
    wait_until "$PATIENCE_S" test -e "$TAP_DIR/$mode/fired.0" || bail "the second run does not begin"
    wait_until "$PATIENCE_S" snapshot_is_out || bail "the second run has no snapshot"
    src_sql "UPDATE t SET v = 'new' WHERE id <= 50; INSERT INTO t VALUES (100 + (SELECT count(*) FROM t), 'new')"
    run_is 0 "$mode: another engine's run" "$RAPIDBYTE" run "$TAP_DIR/first.yaml"
    touch "$TAP_DIR/$mode/go"
    finish
    is "$status" 0 "$mode: the run that was held up" || diag "$stderr"
    is "$(content dst_sql "raw.$mode")" "$(content src_sql t)" "$mode: what was loaded meanwhile stays"
done
done_testing

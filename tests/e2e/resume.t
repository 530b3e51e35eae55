#!/bin/bash
# A load that did not end: what the next run does with it.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pg_start main || bail "no PostgreSQL"
databases
for table in a b c; do
    src_sql "CREATE TABLE $table (id integer); INSERT INTO $table VALUES (1), (2)"
done
p=$TAP_DIR/p.yaml
STREAMS='- { name: a }
- { name: b }
- { name: c }'
write_mode=append
pipeline "$p"

rows() {
    dst_sql "SELECT count(*) FROM raw.$1" 2>/dev/null || echo none
}

# b and c can't be read: a alone is committed.
src_sql 'ALTER TABLE b RENAME TO b_away; ALTER TABLE c RENAME TO c_away'
run_is 8 "a of three streams is loaded" "$RAPIDBYTE" run "$p"
src_sql 'ALTER TABLE b_away RENAME TO b'
run_is 0 "b alone is run" "$RAPIDBYTE" run "$p" --streams b
is "$(rows a) $(rows b)" "2 2" "b joins the load that did not end"
src_sql 'ALTER TABLE c_away RENAME TO c'
run_is 0 "all are run" "$RAPIDBYTE" run "$p"
is "$(rows a) $(rows b) $(rows c)" "2 2 2" "a run of some streams did not end the load: nothing is appended twice"
run_is 0 "all are run again" "$RAPIDBYTE" run "$p"
is "$(rows a) $(rows b) $(rows c)" "4 4 4" "that load has ended: the next run is a new one"

# A run of one stream alone ends the load it began.
run_is 0 "a alone" "$RAPIDBYTE" run "$p" --streams a
run_is 0 "a alone again" "$RAPIDBYTE" run "$p" --streams a
is "$(rows a)" 8 "each run of a alone is a load of its own"

# A stream that can't be loaded any more leaves the document.
src_sql 'DROP TABLE c'
run_is 8 "c is gone" "$RAPIDBYTE" run "$p"
STREAMS='- { name: a }
- { name: b }'
pipeline "$p"
run_is 0 "c leaves the document" "$RAPIDBYTE" run "$p"
like "$stderr" "already loaded" "what stood in the load is not loaded again"
before=$(rows a)
run_is 0 "the load has ended without c" "$RAPIDBYTE" run "$p"
is "$(rows a)" $((before + 2)) "the next run is a new one"

# --full-refresh cannot read again what stands in a load that did not end.
src_sql 'CREATE TABLE d (id integer); INSERT INTO d VALUES (1)'
STREAMS='- { name: d, sync_mode: incremental, cursor_field: id }
- { name: missing }'
PIPELINE=refresh pipeline "$p"
run_is 8 "d is loaded, another isn't" "$RAPIDBYTE" run "$p"
src_sql 'UPDATE d SET id = 7'
run_is 2 "--full-refresh of a load that did not end" "$RAPIDBYTE" run "$p" --full-refresh
like "$stderr" "without --full-refresh" "says what to do"

# A cursor that was kept for another column.
src_sql 'CREATE TABLE e (id integer, other integer); INSERT INTO e VALUES (100, 1)'
STREAMS='- { name: e, sync_mode: incremental, cursor_field: id }'
PIPELINE=cursor pipeline "$p"
run_is 0 "a cursor on id" "$RAPIDBYTE" run "$p"
src_sql 'INSERT INTO e VALUES (101, 2)'
STREAMS='- { name: e, sync_mode: incremental, cursor_field: other }'
PIPELINE=cursor pipeline "$p"
run_is 2 "a cursor on another column" "$RAPIDBYTE" run "$p"
like "$stderr" "kept for column 'id'" "says which it was"
run_is 0 "read from its start" "$RAPIDBYTE" run "$p" --full-refresh
same e "every row once"
done_testing

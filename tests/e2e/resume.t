#!/bin/bash
# Runs after a load that did not end: every stream is read anew, and only what was appended whole is left as it is.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
. "$ROOT/tests/lib/faults.sh"
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

# a_day_later: the clock of every unfinished load goes back.
a_day_later() { dst_sql "UPDATE _rapidbyte.open_loads SET started = started - interval '1 day' WHERE ended IS NULL"; }

# json <expression of d>
json() {
    python3 -c 'import json,sys; d = json.loads(sys.argv[1]); print(eval(sys.argv[2]))' "$stdout" "$1"
}

# b and c can't be read: a alone is committed.
src_sql 'ALTER TABLE b RENAME TO b_away; ALTER TABLE c RENAME TO c_away'
run_is 8 "a of three streams is loaded" "$RAPIDBYTE" run "$p"
src_sql 'ALTER TABLE b_away RENAME TO b'
run_is 0 "b alone is run" "$RAPIDBYTE" run "$p" --streams b
is "$(rows a) $(rows b)" "2 2" "b alone is run: a is as it was"
src_sql 'ALTER TABLE c_away RENAME TO c'
first=$(dst_sql "SELECT load_id FROM _rapidbyte.loads WHERE stream = 'a'")
run_is 0 "all are run" "$RAPIDBYTE" run "$p" --output json
is "$(rows a) $(rows c)" "2 2" "what an unfinished load has appended is not appended again"
is "$(json '[(s["outcome"], s.get("loaded_by")) for s in d["streams"]][0]')" "('already_loaded', '$first')" "the report names the load that appended it"
like "$stderr" "stream 'a': appended by the load of 20..-..-.. ..:..:.. .....? \\($first\\)" "the note names it, and its time"
is "$(rows b)" 2 "nor is what a run of some streams has brought since"
is "$(dst_sql 'SELECT count(*) FROM _rapidbyte.open_loads WHERE ended IS NULL')" 0 "with c all loads have ended"
run_is 0 "all are run again" "$RAPIDBYTE" run "$p"
is "$(rows a) $(rows b) $(rows c)" "4 4 4" "no load is unfinished: all is appended"

# A run of one stream alone ends the load it began.
run_is 0 "a alone" "$RAPIDBYTE" run "$p" --streams a
run_is 0 "a alone again" "$RAPIDBYTE" run "$p" --streams a
is "$(rows a)" 8 "each run of a alone is a load of its own"

# The next night is a new night; --resume says that it is not, --new that it is one at once.
src_sql 'ALTER TABLE c RENAME TO c_away'
run_is 8 "a night without c" "$RAPIDBYTE" run "$p"
before=$(rows a)
run_is 8 "the repeat in the morning" "$RAPIDBYTE" run "$p"
is "$(rows a)" "$before" "the repeat in the morning appends nothing again"
a_day_later
run_is 8 "the next night with --resume" "$RAPIDBYTE" run "$p" --resume
is "$(rows a)" "$before" "--resume appends nothing again, a day later"
run_is 8 "the next night" "$RAPIDBYTE" run "$p"
is "$(rows a)" $((before + 2)) "the next night appends"
like "$stderr" "the load of 20.* did not end and is given up; what it has appended stays: a, b" "the load that is given up is named"
run_is 8 "--new" "$RAPIDBYTE" run "$p" --new
is "$(rows a)" $((before + 4)) "--new appends at once"
run_is 8 "after --new" "$RAPIDBYTE" run "$p"
is "$(rows a)" $((before + 4)) "what --new has appended is not appended again"
EXTRA='resume_within: 0s' pipeline "$p"
run_is 8 "resume_within: 0s" "$RAPIDBYTE" run "$p"
is "$(rows a)" $((before + 6)) "resume_within: 0s: each run appends"
pipeline "$p"
run_is 2 "--new and --resume" "$RAPIDBYTE" run "$p" --new --resume
like "$stderr" "exclude each other" "--new and --resume: says so"

# What was appended by another document: neither again nor passed off as this one's.
STREAMS='- { name: a, where: id > 1 }
- { name: b }
- { name: c }' pipeline "$p"
run_is 8 "the stream's where has changed" "$RAPIDBYTE" run "$p"
like "$stderr" "stream 'a': the load of .* has appended it, and streams\\.a\\.where has changed since" "changed: it is refused by what has changed"
is "$(rows a)" $((before + 6)) "changed: nothing is appended"
run_is 8 "changed: --new" "$RAPIDBYTE" run "$p" --new
is "$(rows a)" $((before + 7)) "changed: --new appends it as it is now"
# The table was dropped: its rows are gone, whatever the receipt says.
STREAMS='- { name: a }
- { name: b }
- { name: c }' pipeline "$p"
run_is 8 "before the table goes" "$RAPIDBYTE" run "$p" --new
dst_sql 'DROP TABLE raw.a; CREATE TABLE raw.a (id integer)'
run_is 8 "the table was made anew" "$RAPIDBYTE" run "$p"
is "$(rows a)" 2 "a table that was made anew gets its rows"

# A stream that can't be loaded any more leaves the document.
STREAMS='- { name: a }
- { name: b }' pipeline "$p"
before=$(rows b)
run_is 0 "c leaves the document" "$RAPIDBYTE" run "$p"
is "$(rows b)" "$before" "c leaves the document: nothing is appended again"
run_is 0 "the load has ended without c" "$RAPIDBYTE" run "$p"
is "$(rows b)" $((before + 2)) "the next run is a new one"

# state abandon.
STREAMS='- { name: a }
- { name: c }' pipeline "$p"
run_is 8 "a load that does not end" "$RAPIDBYTE" run "$p"
unfinished=$(dst_sql 'SELECT load_id FROM _rapidbyte.open_loads WHERE ended IS NULL')
before=$(rows a)
run_is 4 "state abandon: no such load" "$RAPIDBYTE" state abandon "$p" 0123
like "$stderr" "pipeline 'test' has no unfinished load with the number '0123'" "state abandon: no such load: says so"
run_is 0 "state abandon" "$RAPIDBYTE" state abandon "$p"
like "$stdout" "^load $unfinished of 20.* is given up" "state abandon: names it"
run_is 0 "state abandon again" "$RAPIDBYTE" state abandon "$p"
like "$stdout" "no unfinished load" "state abandon again: there is none"
run_is 8 "after state abandon" "$RAPIDBYTE" run "$p"
is "$(rows a)" $((before + 2)) "after state abandon: it is appended again"

# Streams that can be read again are, whatever an earlier load left.
src_sql 'CREATE TABLE d (id integer PRIMARY KEY, v text); CREATE TABLE e (LIKE d INCLUDING ALL); CREATE TABLE f (LIKE d INCLUDING ALL)'
src_sql "INSERT INTO d VALUES (1, 'night1'); INSERT INTO e SELECT * FROM d; INSERT INTO f SELECT * FROM d"
kept='- { name: d, write_mode: replace }
- { name: e, write_mode: upsert }
- { name: f, sync_mode: incremental, cursor_field: id, write_mode: append }'
STREAMS="$kept
- { name: missing }" PIPELINE=nights pipeline "$p"
for night in 1 2 3; do
    src_sql "UPDATE d SET v = 'night$night'; UPDATE e SET v = 'night$night'; INSERT INTO f VALUES ($((night + 1)), 'more')"
    run_is 8 "night $night: one stream fails" "$RAPIDBYTE" run "$p"
    for table in d e f; do same "$table" "night $night: $table is of now"; done
done
src_sql "UPDATE d SET v = 'alone'"
run_is 8 "--streams after a failure" "$RAPIDBYTE" run "$p" --streams d,missing
same d "--streams after a failure: read anew"
src_sql "UPDATE d SET v = 'alone again'; UPDATE f SET v = 'changed before the cursor' WHERE id = 1"
run_is 0 "--full-refresh --streams after a failure" "$RAPIDBYTE" run "$p" --full-refresh --streams d,f
same d "--full-refresh --streams after a failure: d"
same f "--full-refresh --streams after a failure: f"
src_sql "UPDATE d SET v = 'all'; UPDATE e SET v = 'all'; UPDATE f SET v = 'also below the cursor' WHERE id = 2"
run_is 8 "--full-refresh after a failure" "$RAPIDBYTE" run "$p" --full-refresh
for table in d e f; do same "$table" "--full-refresh after a failure: $table"; done
src_sql "UPDATE d SET v = 'mended'; CREATE TABLE missing (id int); INSERT INTO missing VALUES (1); INSERT INTO f VALUES (100, 'last')"
run_is 0 "the bad stream is mended" "$RAPIDBYTE" run "$p"
for table in d e f missing; do same "$table" "mended: $table"; done
src_sql "DROP TABLE missing; UPDATE d SET v = 'once more'; CREATE TABLE elsewhere (id integer PRIMARY KEY, v text); INSERT INTO elsewhere VALUES (7, 'x')"
run_is 8 "another failure" "$RAPIDBYTE" run "$p"
dst_sql 'DROP TABLE raw.d; CREATE TABLE raw.d (id integer PRIMARY KEY, v text)'
run_is 8 "the target was dropped between the runs" "$RAPIDBYTE" run "$p"
same d "the target was dropped between the runs: it is filled"
STREAMS="- { name: d, write_mode: replace, table: elsewhere }
- { name: missing }" PIPELINE=nights pipeline "$p"
run_is 8 "the source's table changed between the runs" "$RAPIDBYTE" run "$p"
is "$(dst_sql 'SELECT * FROM raw.d')" "7|x" "the source's table changed between the runs: the new content"

# between <name> <settings of d> <rows of raw.d>: d was loaded by a load that did not end, and then the document changed.
between() {
    src_sql "TRUNCATE d; INSERT INTO d VALUES (1, 'a'), (2, 'b')"
    STREAMS=$'- { name: d, write_mode: replace, where: id < 9 }\n- { name: missing }' PIPELINE=nights pipeline "$p"
    run_is 8 "$1: before" "$RAPIDBYTE" run "$p"
    src_sql "INSERT INTO d VALUES (3, 'c')"
    STREAMS="- { name: d, $2 }"$'\n- { name: missing }' PIPELINE=nights pipeline "$p"
    [[ -z ${4:-} ]] || sed -i "$4" "$p"
    run_is 8 "$1 changed between the runs" "$RAPIDBYTE" run "$p"
    is "$(dst_sql "SELECT string_agg(id || v, ' ' ORDER BY id, v) FROM raw.d")" "$3" "$1 changed between the runs: the new content"
}
pg_sql 'CREATE DATABASE other_src'
PG_DATABASE=other_src pg_sql "CREATE TABLE d (id integer PRIMARY KEY, v text); INSERT INTO d VALUES (1, 'other')"
between where 'write_mode: replace, where: id > 1' '2b 3c'
between 'the write mode, to upsert,' 'write_mode: upsert' '1a 2b 3c'
between 'the write mode, to append,' 'write_mode: append, where: id > 2' '1a 2b 3c'
between 'the database' 'write_mode: replace' '1other' 's/database: src/database: other_src/'

# What another server's table held is not taken for what this one's holds.
src_port=$PG_PORT
pg_start other || bail "no second server"
pg_sql "CREATE DATABASE src"
src_sql "CREATE TABLE a (id integer); INSERT INTO a VALUES (7)"
other_port=$PG_PORT
pg_use main
dst_sql 'DROP TABLE raw.a'
STREAMS=$'- { name: a, write_mode: append }\n- { name: missing }' PIPELINE=servers pipeline "$p"
run_is 8 "appended from one server" "$RAPIDBYTE" run "$p"
SOURCE_PORT=$other_port STREAMS=$'- { name: a, write_mode: append }\n- { name: missing }' PIPELINE=servers pipeline "$p"
for command in check run; do
    run "$RAPIDBYTE" "$command" "$p"
    like "$stdout$stderr" "the load of .* has appended it, and source\\.config\\.port has changed since" "from another server: $command refuses to append by what has changed"
done
is "$(rows a)" 2 "from another server: nothing is appended"
run_is 8 "from another server, --new" "$RAPIDBYTE" run "$p" --new
is "$(dst_sql 'SELECT count(*), sum(id) FROM raw.a')" "3|10" "from another server, --new: its rows are beside those that were there"
SOURCE_PORT=$src_port

# Ctrl-C while the second of two streams is read: the first one is read again, as it is then.
make_gate src
src_sql "CREATE TABLE nokey AS SELECT g AS id FROM generate_series(1, 1000) g; CREATE TABLE events AS SELECT g AS id FROM generate_series(1, 30000) g"
STREAMS='- { name: nokey, write_mode: replace }
- { name: events, write_mode: replace, where: public.gate(id) }' EXTRA='resources: { parallelism: 1 }' PIPELINE=interrupted pipeline "$p"
close_gate src
launch "$RAPIDBYTE" run "$p"
wait_until "$PATIENCE_S" at_gate src || bail "the second stream does not come to the gate: $(<"$TAP_STDERR")"
interrupt INT
is "$status" 130 "Ctrl-C in the second stream"
like "$(tail -n 1 <<<"$stderr")" "^20[-0-9T:+]+ run of 'interrupted' ends: cancelled \\(exit code 130\\), 1 of 2 streams, 1,000 rows in .*, load [0-9a-f]{32}\$" "Ctrl-C in the second stream: the last line"
is "$(rows nokey) $(rows events)" "1000 none" "Ctrl-C in the second stream: the first one is loaded"
open_gate src
src_sql 'INSERT INTO nokey VALUES (1001), (1002)'
run_is 0 "after Ctrl-C: the next run" "$RAPIDBYTE" run "$p"
is "$(rows nokey) $(rows events)" "1002 30000" "after Ctrl-C: both streams as they are now"

# A cursor that was kept for another column.
src_sql 'CREATE TABLE g (id integer, other integer); INSERT INTO g VALUES (100, 1)'
STREAMS='- { name: g, sync_mode: incremental, cursor_field: id }'
PIPELINE=cursor pipeline "$p"
run_is 0 "a cursor on id" "$RAPIDBYTE" run "$p"
src_sql 'INSERT INTO g VALUES (101, 2)'
STREAMS='- { name: g, sync_mode: incremental, cursor_field: other }'
PIPELINE=cursor pipeline "$p"
run_is 2 "a cursor on another column" "$RAPIDBYTE" run "$p"
like "$stderr" "kept for column 'id'" "says which it was"
run_is 0 "read from its start" "$RAPIDBYTE" run "$p" --full-refresh
same g "every row once"
done_testing

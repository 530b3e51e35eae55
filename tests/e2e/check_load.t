#!/bin/bash
# What the ledger and other runs have to say of a load, check says as run does, without taking a lock or changing a row.
. "$(dirname "$0")/../lib/tap.sh"
. tests/lib/agree.sh

agree_begin

case_of "CREATE TABLE t (id int PRIMARY KEY, at int, v text); INSERT INTO t SELECT i, i, i FROM generate_series(1, 5) i" ''
STREAMS='- { name: t, sync_mode: incremental, cursor_field: id }' write_mode=append document
moves "a first load"
sed -i 's/cursor_field: id/cursor_field: at/' "$p"
agree 2 'cursor was kept for column' "a cursor of another column"
moves "the way that the hint names" --full-refresh
rm -f "$TAP_DIR"/*.db*
moves "without the state"
like "$checked" "^warning *load: stream 't': the cursor is taken from the destination's ledger" "without the state: check says so"
dst_sql 'DROP TABLE raw.t'
moves "a table that is gone"
like "$checked" "^warning *load: stream 't': the destination's ledger knows no load of it" "a table that is gone: check says so"
is "$(dst_sql 'SELECT count(*) FROM raw.t')" 5 "a table that is gone: all of its rows"

case_of "$keyed; CREATE TABLE u AS SELECT * FROM t" ''
STREAMS='- { name: t }
- { name: u }' write_mode=append document
agree 2 "no load with the key 'k'" "a key that names nothing" --key k --resume
moves "a load with a key" --key k
moves "the key's load has ended" --key k
like "$checked" "^warning *load: already loaded: the load with the key 'k' has ended" "the key's load has ended: check says so"
is "$(dst_sql 'SELECT count(*) FROM raw.t')" 5 "the key's load has ended: every row once"
sed -i 's/name: t }/name: t, where: id > 1 }/' "$p"
agree 2 'began with another document: streams.t.where has changed' "a key of another document" --key k
run_is 2 "--new with a key: check, as run" "$RAPIDBYTE" check "$p" --new --key k
like "$stderr" 'does not go with --key' "--new with a key: says so"
src_sql 'ALTER TABLE u RENAME TO away'
run_is 8 "a load that does not end" "$RAPIDBYTE" run "$p"
src_sql 'ALTER TABLE away RENAME TO u'
sed -i 's/id > 1/id > 2/' "$p"
agree 2 'did not end, has appended it, and streams.t.where has changed' "what was appended otherwise" --streams t
run_is 0 "appended at once: check" "$RAPIDBYTE" check "$p" --streams t --new
sed -i 's/id > 2/id > 1/' "$p"
moves "a load that goes on"
like "$checked" "^warning *load: stream 't': appended by the load of .* which did not end; not again" "a load that goes on: check says so"
like "$checked" '^ok *stream t: already loaded' "a load that goes on: by stream"

# --new of one stream leaves the load open that lacks another one, and its own load with it.
case_of "$keyed; CREATE TABLE u AS SELECT * FROM t; ALTER TABLE u RENAME TO away" ''
STREAMS='- { name: t, where: id > 1 }
- { name: u }' write_mode=append document
run_is 8 "a stream is lacking" "$RAPIDBYTE" run "$p"
sed -i 's/id > 1/id > 2/' "$p"
moves "one stream with --new" --streams t --new
moves "after --new of one stream" --streams t
like "$stderr" "stream 't': appended by the load of .* which did not end; not again" "after --new of one stream: it is not appended again"
sed -i 's/id > 2/id > 3/' "$p"
agree 2 'did not end, has appended it, and streams.t.where has changed' "after --new of one stream: changed once more" --streams t
src_sql 'ALTER TABLE away RENAME TO u'
moves "the stream that was lacking" --streams u
run_is 0 "when all is there, the next load appends" "$RAPIDBYTE" run "$p"
is "$(dst_sql 'SELECT count(*) FROM raw.t')" 9 "each append once: 4, 3 and 2 rows"

case_of "$keyed" 'CREATE TABLE t (id int PRIMARY KEY, v text); GRANT ALL ON t TO etl'
STREAMS='- { name: t }' write_mode=append document
moves "a ledger of the superuser's"
dst_sql 'GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA _rapidbyte TO etl'
STREAMS='- { name: t }' write_mode=append document etl
for grant in 'UPDATE ON _rapidbyte.open_loads' 'DELETE ON _rapidbyte.loads' 'DELETE ON _rapidbyte.rejected'; do
    agree 4 'permission denied for table' "a ledger that may not be written, before $grant"
    dst_sql "GRANT $grant TO etl"
done
agree_end
done_testing

#!/bin/bash
# What the engine refuses by itself before a run's first row, by its state, its locks, patterns and limits, check refuses by the same words.
# shellcheck disable=SC2119
. "$(dirname "$0")/../lib/tap.sh"
. tests/lib/agree.sh

agree_begin

# ---- Patterns.
case_of "$keyed; CREATE SCHEMA two; CREATE TABLE two.t (id int); CREATE TABLE two.u (id int)" ''
STREAMS='- "nothing_*"' document
agree 2 "pattern 'nothing_\*' matches no table of the configured schema" "a pattern that matches nothing"
STREAMS=$'- "*"\n- "two.*"' document
agree 2 "stream 't' would be two tables: 't' of the configured schema and 't' of two" "two tables of one name"
STREAMS=$'- { name: t, destination_table: u, write_mode: replace }\n- "two.u*"' document
agree 2 "stream 't' and stream 'u', which a pattern matches, replace the same table 'u'" "a table that two streams replace"
STREAMS='- "*"' document
agree 2 "the pipeline has no stream 'nothing', and its patterns match none" "--streams that no pattern matches" --streams nothing
STREAMS=$(printf -- '- "s%d.*"\n' {1..64}) document
agree 3 'patterns name more than [0-9]+ schemas' "patterns of too many schemas"

# ---- Limits.
EXTRA='resources: { max_memory: 32mb, parallelism: 8 }' STREAMS='- { name: t }' document
agree 2 'max_memory of 32 MiB is too little for 2 connectors on [0-9]+ lanes' "lanes that the memory is too little for"

# ---- The state file.
STREAMS='- { name: t }'
document
state=$TAP_DIR/state.db
rm -f "$state"*
# refuses_file <exit code> <what is said> <name>: and the next case has no file
refuses_file() {
    agree "$1" "$2" "$3"
    rm -rf "$state"*
}
ln -s "$TAP_DIR/elsewhere.db" "$state"
refuses_file 7 'state file .* is a link' "a state file that is a link"
mkdir "$state"
refuses_file 7 'state file .* is not a regular file' "a state file that is a folder"
head -c 8192 /dev/urandom >"$state"
refuses_file 7 'is not an SQLite database' "a state file that is none"
sqlite() { python3 -c 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2])' "$state" "$1" || bail "SQLite: $1"; }
sqlite 'CREATE TABLE own (id int)'
refuses_file 7 'is an SQLite database, but not a state file of rapidbyte' "a state file of somebody else"
moves "a state file of ours"
sqlite 'PRAGMA user_version = 99'
refuses_file 7 'was made by a newer rapidbyte .version 99, this one knows up to' "a state file of a newer rapidbyte"
moves "another state file of ours"
chmod o+w "$state"
agree 7 'may be written by other users' "a state file that others may write"
chmod o-w "$state"
python3 -c 'import sys; f = open(sys.argv[1], "r+b"); f.seek(4096); f.write(b"x" * 8192)' "$state"
refuses_file 7 'state file .* is damaged' "a state file that is damaged"
STATE=nowhere/state document
agree 7 'the folder of state file .*: No such file or directory' "a state file in a folder that is not there"

# ---- Who is at it.
document
number=$(dst_sql "SELECT hashtextextended('rapidbyte test', 0)")
PGAPPNAME=application dst_sql "SELECT pg_advisory_lock($number); SELECT pg_sleep(600)" >/dev/null 2>&1 &
# shellcheck disable=SC2317,SC2329 # wait_until is given them
asleep() { [[ $(pg_sql "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'application' AND wait_event = 'PgSleep'") == 1 ]]; }
wait_until 30 asleep || bail "nobody has the lock"
agree 7 "pipeline 'test' is being loaded by another run .server process [0-9]+" "a pipeline that another engine loads"
pg_sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'application'" >/dev/null
PGAPPNAME=application src_sql 'BEGIN; LOCK TABLE t; SELECT pg_sleep(600)' >/dev/null 2>&1 &
wait_until 30 asleep || bail "nobody has the table"
"$RAPIDBYTE" run "$p" >"$TAP_DIR/background" 2>&1 &
other=$!
at_exit kill "$other"
# shellcheck disable=SC2317,SC2329
at_it() { [[ $(dst_sql 'SELECT count(*) FROM _rapidbyte.open_loads WHERE ended IS NULL') == 1 ]]; }
wait_until 30 at_it || bail "the run does not begin: $(<"$TAP_DIR/background")"
agree 7 "pipeline 'test' is being run by process $other on " "a pipeline that another process runs"
pg_sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'application'" >/dev/null
wait "$other"
is "$(dst_sql 'SELECT count(*) FROM raw.t')" 15 "the run that was at it: each run's rows"
agree_end
done_testing

#!/bin/bash
# Locks at the source: taken when a table is read, not before, and gone after it; whoever has locked a table keeps that one from being
# read, and no other.
# shellcheck disable=SC2317,SC2329 # functions that wait_until is given
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
. "$ROOT/tests/lib/faults.sh"
PG_OPTIONS=(max_locks_per_transaction=10)
pg_start main || bail "no PostgreSQL"
databases
p=$TAP_DIR/p.yaml
make_gate src
src_sql "CREATE TABLE big (id int); INSERT INTO big SELECT generate_series(19999, 20001);
    CREATE TABLE eu AS SELECT g AS id FROM generate_series(1, 100) g; CREATE TABLE us AS SELECT g AS id FROM generate_series(1, 50) g;
    CREATE TABLE parted (id int) PARTITION BY RANGE (id); CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100);
    INSERT INTO parted VALUES (1)"

# hold <statements>: a session of an application in the middle of its transaction.
hold() {
    PGAPPNAME=application src_sql "BEGIN; $1; SELECT pg_sleep(600)" >/dev/null 2>&1 &
    wait_until "$PATIENCE_S" holds || bail "the application does not come to hold: $1"
}
holds() { [[ $(pg_sql "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'application' AND wait_event = 'PgSleep'") == 1 ]]; }
let_go() { pg_sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'application'" >/dev/null && wait_until "$PATIENCE_S" not_held; }
not_held() { ! holds; }
# ours: the tables that a session of ours has locked, or waits for, at the source.
ours() {
    src_sql "SELECT string_agg(DISTINCT c.relname, ' ' ORDER BY c.relname) FROM pg_locks l JOIN pg_stat_activity a USING (pid) JOIN pg_class c ON c.oid = l.relation
        WHERE a.application_name LIKE 'rapidbyte%' AND a.datname = 'src' AND c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')"
}

# While the first table is read, the others are anybody's.
STREAMS='- { name: big, where: public.gate(id) }
- { name: eu, where: "id > 0" }
- { name: parted, sync_mode: incremental, cursor_field: id }' pipeline "$p"
close_gate src
launch "$RAPIDBYTE" run "$p"
wait_until "$PATIENCE_S" at_gate src || bail "the first stream does not come to the gate: $(<"$TAP_STDERR")"
is "$(ours)" big "of many tables the one that is being read is locked"
ok "ALTER TABLE waits for nobody" src_sql "SET lock_timeout = '1s'; ALTER TABLE eu ADD x int; ALTER TABLE parted ADD x int; TRUNCATE us; INSERT INTO us SELECT generate_series(1, 70)"
open_gate src
finish
is "$status" 0 "altered meanwhile: it runs" || diag "$stderr"
is "$(dst_sql 'SELECT count(*) FROM raw.eu')" 100 "altered meanwhile: the stream arrives"

# Somebody has locked a table that is not to be read.
hold 'LOCK TABLE eu IN ACCESS EXCLUSIVE MODE'
fresh
STREAMS='- "*"
- "!eu"' write_mode=replace pipeline "$p"
run_is 0 "a table is locked that no stream reads: run" timeout 15 "$RAPIDBYTE" run "$p"
same us "a table is locked that no stream reads: the others arrive"
run_is 0 "discover" timeout 15 "$RAPIDBYTE" discover "$p" --output json
like "$stdout" '"name": ?"eu"' "discover: lists a table that is locked"
# One that is: it waits, and the others don't.
STREAMS='- { name: eu, where: "id > 0" }
- { name: us }
- { name: parted }' write_mode=replace EXTRA='resources: { parallelism: 1 }' pipeline "$p"
fresh
run_is 0 "check with a locked table" timeout 15 "$RAPIDBYTE" check "$p"
launch "$RAPIDBYTE" run "$p"
arrived() { [[ $(dst_sql "SELECT to_regclass('raw.us') IS NOT NULL AND to_regclass('raw.parted') IS NOT NULL" 2>/dev/null) == t ]]; }
ok "the others arrive while one waits" wait_until "$PATIENCE_S" arrived
kill -0 "$RUN_PID" 2>/dev/null || fail "the run still waits for the table"
like "$(<"$TAP_STDERR")" "note: stream 'eu': \"public\".\"eu\" can't be read: process [0-9]+ of the server \(application, statement of [0-9: -]+ UTC\) has locked public.eu" \
    "the one that waits names who has locked it"
let_go
finish
is "$status" 0 "the lock is let go: it runs" || diag "$stderr"
same eu "the lock is let go: the table arrives"
is "$(grep -c "^note: stream 'eu': .*the stream waits" <<<"$stderr")" 1 "it is said once"

# timeouts.lock is over.
hold 'LOCK TABLE parted_1 IN ACCESS EXCLUSIVE MODE'
fresh
STREAMS='- { name: parted }
- { name: us }' write_mode=replace EXTRA='resources: { parallelism: 1, max_retries: 0 }
timeouts: { lock: 1s }' pipeline "$p"
run "$RAPIDBYTE" run "$p"
is "$status" 8 "timeouts.lock is over: the stream fails" || diag "$stderr"
like "$stderr" "^error: stream 'parted': .*process [0-9]+ .*has locked public.parted_1" "timeouts.lock is over: by name"
like "$stderr" "pg_terminate_backend\([0-9]+\)" "timeouts.lock is over: what to do"
same us "timeouts.lock is over: the other arrives"
let_go

# Behind somebody's ALTER, which waits for a long query: out of the queue within a second, again and again.
hold 'SELECT count(*) FROM eu'
PGAPPNAME=alter src_sql 'ALTER TABLE eu ADD y int' >/dev/null 2>&1 &
alter_waits() { [[ $(pg_sql "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'alter' AND wait_event_type = 'Lock'") == 1 ]]; }
wait_until "$PATIENCE_S" alter_waits
STREAMS='- { name: eu }' write_mode=replace EXTRA='timeouts: { lock: 0 }' pipeline "$p"
launch "$RAPIDBYTE" run "$p"
tells() { grep -q "waits to lock public.eu" "$TAP_STDERR"; }
ok "behind an ALTER: it is named" wait_until "$PATIENCE_S" tells
# For three seconds: how long we stand in the queue at most, by the server's clock.
longest=$(src_sql "SET client_min_messages = notice; DO \$\$ DECLARE longest interval := '0';
    BEGIN FOR i IN 1..60 LOOP
        PERFORM pg_stat_clear_snapshot(), pg_sleep(0.05);
        SELECT greatest(longest, max(clock_timestamp() - l.waitstart)) INTO longest FROM pg_locks l JOIN pg_stat_activity a USING (pid)
            WHERE a.application_name LIKE 'rapidbyte%' AND NOT l.granted AND l.relation = 'public.eu'::regclass;
    END LOOP; RAISE NOTICE 'longest % ms', extract(epoch FROM longest) * 1000; END \$\$" 2>&1 | sed -n 's/.*longest \([0-9]*\).*/\1/p')
cmp_ok "$longest" -lt 1300 "behind an ALTER: we leave the queue within a second or so"
cmp_ok "$longest" -gt 100 "behind an ALTER: it was seen that we wait ($longest ms at most)"
let_go
finish
is "$status" 0 "behind an ALTER: it runs when the query has ended" || diag "$stderr"
is "$(dst_sql 'SELECT count(*), sum(id) FROM raw.eu')" "100|5050" "behind an ALTER: the table arrives" # with the column or, planned before it, without

# More tables than the server has room for locks: an application holds so many that 150 are left.
src_sql "DO \$\$ BEGIN FOR i IN 1..300 LOOP EXECUTE format('CREATE TABLE many_%s AS SELECT %s AS id', i, i); COMMIT; END LOOP; END \$\$"
room=$(src_sql "SET client_min_messages = notice; DO \$\$ DECLARE n int := 0;
    BEGIN LOOP PERFORM pg_advisory_xact_lock(n); n := n + 1; END LOOP; EXCEPTION WHEN out_of_memory THEN RAISE NOTICE 'room %', n; END \$\$" 2>&1 | sed -n 's/.*room //p')
hold "SELECT count(pg_advisory_xact_lock(i)) FROM generate_series(1, $room - 150) i"
run src_sql "DO \$\$ BEGIN FOR i IN 1..300 LOOP EXECUTE format('LOCK TABLE many_%s IN ACCESS SHARE MODE', i); END LOOP; END \$\$"
like "$stderr" 'out of shared memory' "more tables than locks: one transaction can't lock all of them"
fresh
STREAMS='- "many_*"' write_mode=replace EXTRA='' pipeline "$p"
run_is 0 "more tables than locks: run" "$RAPIDBYTE" run "$p"
unlike "$stderr" "trying again|shared memory" "more tables than locks: no retry"
is "$(dst_sql "SELECT count(*) FROM pg_class WHERE relnamespace = 'raw'::regnamespace AND relkind = 'r'")" 300 "more tables than locks: every one arrives"
let_go

# A snapshot that is lost costs no attempt.
STREAMS='- { name: big, where: public.gate(id) }
- { name: us }' write_mode=replace EXTRA='resources: { max_retries: 1, parallelism: 1 }' pipeline "$p"
fresh
close_gate src
launch "$RAPIDBYTE" run "$p"
wait_until "$PATIENCE_S" at_gate src || bail "the stream does not come to the gate: $(<"$TAP_STDERR")"
end_sessions src
open_gate src
finish
is "$status" 0 "a lost snapshot costs no attempt: it runs" || diag "$stderr"
same big "a lost snapshot costs no attempt: the stream under way"
done_testing

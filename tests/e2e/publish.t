#!/bin/bash
# A table is replaced in one short transaction at the end: by what was loaded and counted, and not given up for a lock.
# Functions that wait_until is given.
# shellcheck disable=SC2317,SC2329
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
. "$ROOT/tests/lib/faults.sh"
pg_start main || bail "no PostgreSQL"
databases
p=$TAP_DIR/p.yaml
export write_mode=replace
src_sql "CREATE TABLE small (id int PRIMARY KEY, v text); INSERT INTO small SELECT g, 'v' || g FROM generate_series(1, 1000) g;
    CREATE TABLE big (id int PRIMARY KEY, pad text); INSERT INTO big SELECT g, repeat('x', 200) FROM generate_series(1, 110000) g; ANALYZE"
make_gate src

# old: tables with one row each, that a replace takes away.
old() {
    fresh
    dst_sql "CREATE SCHEMA raw; CREATE TABLE raw.small (id int PRIMARY KEY, v text); INSERT INTO raw.small VALUES (0, 'old');
        CREATE TABLE raw.big (id int PRIMARY KEY, pad text); INSERT INTO raw.big VALUES (0, 'old')"
}
waits() { grep -q 'is in use' "$TAP_STDERR"; }
reader_is_there() { [[ $(pg_sql "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'reader' AND state = 'active' AND wait_event = 'PgSleep'") == 1 ]]; }
# A reader of the old table, who keeps it locked until end_reader.
reader() {
    PGAPPNAME=reader PG_DATABASE=dst pg_sql "BEGIN; SELECT count(*) FROM raw.$1; SELECT pg_sleep(600)" >/dev/null 2>&1 &
    wait_until "$PATIENCE_S" reader_is_there || bail "the reader does not come"
}
end_reader() { pg_sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'reader'" >/dev/null; }

for table in small big; do
    STREAMS="- { name: $table }" EXTRA='resources: { parallelism: 4, max_retries: 5 }
timeouts: { lock: 200ms }' pipeline "$p"
    old
    reader "$table"
    launch "$RAPIDBYTE" run "$p" --output json
    ok "$table: a reader keeps the swap waiting" wait_until "$PATIENCE_S" waits
    is "$(dst_sql "SELECT count(*) FROM raw.$table")" 1 "$table: meanwhile others read what was there"
    end_reader
    finish
    is "$status" 0 "$table: it is replaced once the reader is gone" || diag "$stderr"
    is "$(report 'report["retries"], report["streams"][0]["attempts"]')" "(0, 1)" "$table: loaded once"
    same "$table" "$table: all rows"

    sed -i 's/max_retries: 5/max_retries: 1/' "$p"
    old
    reader "$table"
    run_is 4 "$table: a reader who does not go" "$RAPIDBYTE" run "$p" --output json
    like "$stdout" 'lock timeout' "$table: said what it was"
    is "$(report 'report["retries"], report["streams"][0]["attempts"]')" "(0, 1)" "$table: not loaded again for it"
    is "$(dst_sql "SELECT count(*) FROM raw.$table")" 1 "$table: what was there is there"
    end_reader
    run_is 0 "$table: the next run" "$RAPIDBYTE" run "$p"
    same "$table" "$table: all rows by then"
    is "$(leftovers)" 0 "$table: nothing is left behind"
done

# A signal while it waits.
sed -i 's/max_retries: 1/max_retries: 50/' "$p"
old
reader big
launch "$RAPIDBYTE" run "$p"
wait_until "$PATIENCE_S" waits || bail "the swap does not wait: $(<"$TAP_STDERR")"
interrupt INT
cmp_ok "$RUN_TOOK_MS" -lt "$CANCEL_LIMIT_MS" "cancelled while the swap waits"
end_reader

# What units committed is published only as they committed it, and only what this attempt's did.
units_wait() { at_gate src && [[ $(dst_sql 'SELECT count(*) FROM _rapidbyte.loads WHERE NOT visible' 2>/dev/null) -ge 1 ]]; }
STREAMS='- { name: big, where: "public.gate(id)" }' EXTRA='resources: { parallelism: 2 }' pipeline "$p"
tampered() {
    old
    close_gate src
    launch "$RAPIDBYTE" run "$p"
    wait_until "$PATIENCE_S" units_wait || bail "no unit waits: $(<"$TAP_STDERR")"
    dst_sql "UPDATE _rapidbyte.loads SET $1 WHERE NOT visible"
    first=$(dst_sql 'SELECT name FROM _rapidbyte.staging')
    open_gate src
    finish
    isnt "$status" 0 "units with $2: the run fails"
    like "$stderr" "$3" "units with $2: said"
    is "$(dst_sql 'SELECT count(*) FROM raw.big')" 1 "units with $2: what was there is there"
}
tampered "checksum = '0000000000000001'" "another checksum" "unit 1 has another checksum"
tampered "source_snapshot = '{\"id\": \"another\"}'" "another snapshot" "unit 1 has no receipt"
close_gate src
launch "$RAPIDBYTE" run "$p"
wait_until "$PATIENCE_S" units_wait || bail "no unit waits: $(<"$TAP_STDERR")"
isnt "$(dst_sql 'SELECT name FROM _rapidbyte.staging')" "$first" "the same load resumed has staging of another name"
open_gate src
finish
is "$status" 0 "it runs" || diag "$stderr"
same big "all rows"

# Rows that units refuse are kept, once they are published.
old
dst_sql "ALTER TABLE raw.big ADD CONSTRAINT odd CHECK (id % 10000 <> 77)"
STREAMS='- { name: big, on_data_error: dlq }' EXTRA='resources: { parallelism: 2 }' pipeline "$p"
run_is 0 "units that leave rows out" "$RAPIDBYTE" run "$p" --output json
is "$(report 'report["streams"][0]["records_written"], report["streams"][0]["records_skipped"]')" "(109989, 11)" "they are counted"
is "$(dst_sql "SELECT count(*), count(DISTINCT unit), min((\"values\" ->> 'id')::int), bool_and(message LIKE '%odd%'), bool_and(\"row\" ->> 'pad' = repeat('x', 200)) FROM raw.big__rejected")" \
    "11|2|77|t|t" "they are kept"
is "$(dst_sql 'SELECT (SELECT count(*) FROM raw.big), (SELECT count(*) FROM _rapidbyte.rejected)')" "109989|0" "all others are there"
close_gate src
STREAMS='- { name: big, on_data_error: dlq, where: "public.gate(id)" }' EXTRA='resources: { parallelism: 2 }' pipeline "$p"
unit_has_rejected() { at_gate src && [[ $(dst_sql 'SELECT count(*) FROM _rapidbyte.rejected') -ge 1 ]]; }
launch "$RAPIDBYTE" run "$p"
wait_until "$PATIENCE_S" unit_has_rejected || bail "no unit waits: $(<"$TAP_STDERR")"
interrupt TERM
open_gate src
is "$(dst_sql 'SELECT (SELECT count(*) FROM raw.big__rejected), (SELECT count(*) > 0 FROM _rapidbyte.rejected)')" "11|t" "those of a run that ended early are not"
run_is 0 "the next run" "$RAPIDBYTE" run "$p"
is "$(dst_sql 'SELECT (SELECT count(*) FROM raw.big__rejected), (SELECT count(*) FROM _rapidbyte.rejected)')" "22|0" "its own are, once"
done_testing

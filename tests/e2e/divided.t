#!/bin/bash
# A large table is divided, and each row is read once.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
. "$ROOT/tests/lib/faults.sh"
pg_start main || bail "no PostgreSQL"
databases
p=$TAP_DIR/p.yaml
version=$(pg_sql 'SHOW server_version_num')
((version >= 140000)) || skip_all "before PostgreSQL 14 no range of a table can be read"

# Beside the plan it has one connection, so that the units of a stream come one after the other.
src_sql 'CREATE ROLE few LOGIN CONNECTION LIMIT 2; GRANT pg_read_all_data TO few'

# A table that is rewritten while its units are read: what they have staged is dropped, and the whole is read under a new snapshot.
# Each unit would stop at the gate.
make_gate src
# rewritten <statements> <name>
rewritten() {
    fresh
    src_sql "DROP TABLE IF EXISTS large; CREATE TABLE large AS SELECT g AS id, repeat('x', 1000) AS pad FROM generate_series(1, 40000) g"
    STREAMS='- { name: large, where: "public.gate(CASE WHEN id % 5000 = 0 THEN 20000 ELSE 1 END)" }' write_mode=replace \
        EXTRA='resources: { parallelism: 3, max_memory: 512mb, max_retries: 0 }' pipeline "$p"
    sed -i '0,/user: postgres/s//user: few/' "$p"
    close_gate src
    launch "$RAPIDBYTE" run "$p"
    wait_until "$PATIENCE_S" at_gate src || bail "no unit comes to the gate: $(<"$TAP_STDERR")"
    PGAPPNAME=application src_sql <<<"$1" >/dev/null 2>&1 &
    wait_until "$PATIENCE_S" application_waits || bail "the application does not wait"
    open_gate src
    finish
    is "$status" 0 "$2: it runs" || diag "$stderr"
    like "$stderr" "altered, rewritten or replaced .*it is read under a new one" "$2: said"
    same large "$2: each row once, as it is now"
    is "$(dst_sql "SELECT count(*) FROM pg_class WHERE relnamespace = '_rapidbyte'::regnamespace AND relname LIKE 's\\_%'")" 0 "$2: nothing is left"
}
application_waits() { [[ $(pg_sql "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'application' AND wait_event_type = 'Lock'") == 1 ]]; }
rewritten "BEGIN; TRUNCATE large; INSERT INTO large SELECT g, repeat('y', 1000) FROM generate_series(1, 30000) g; COMMIT" "truncated and filled"
rewritten "VACUUM FULL large" "VACUUM FULL"
rewritten "DELETE FROM large WHERE id > 100; VACUUM FULL large" "smaller than before"
rewritten "ALTER TABLE large ALTER id TYPE bigint" "another type"
done_testing

#!/bin/bash
# Bounds: a slow destination holds the source back instead of filling memory; codecs, lanes and limits
# change how rows travel, never what arrives.
# shellcheck disable=SC2317,SC2329 # functions that wait_until is given
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
. "$ROOT/tests/lib/faults.sh"
pg_start main || bail "no PostgreSQL"
databases
# 160 MB that no codec makes small, in rows of 4 kB, out of line.
src_sql "CREATE TABLE big (id integer PRIMARY KEY, pad bytea);
    ALTER TABLE big ALTER pad SET STORAGE EXTERNAL;
    INSERT INTO big SELECT g, (SELECT string_agg(sha512((g::text || ' ' || i)::bytea), '') FROM generate_series(1, 64) i)
        FROM generate_series(1, 20) g;
    INSERT INTO big SELECT 20 * k + id, pad || int4send(k) FROM big, generate_series(1, 1999) k WHERE id <= 20"
big_mb=$(src_sql 'SELECT sum(length(pad)) / 1048576 FROM big')
for table in a b c d; do
    src_sql "CREATE TABLE $table (id integer PRIMARY KEY, pad text);
        INSERT INTO $table SELECT g, repeat(md5('$table' || g), 24) FROM generate_series(1, 25000) g"
done
p=$TAP_DIR/p.yaml

# peak_mb: the worker's, of the run whose BENCH_JSON is in stdout.
peak_mb() {
    sed -n 's/^@@BENCH_JSON@@//p' <<<"$stdout" | python3 -c '
import json, sys
print(round(json.load(sys.stdin)["peak_worker_bytes"] / 1048576))'
}

# A destination that stops in the middle: what is on its way is bounded, so the source's server waits.
fresh
dst_sql 'CREATE SCHEMA raw; CREATE TABLE raw.big (id integer PRIMARY KEY, pad bytea)'
gate_trigger raw.big
STREAMS='- { name: big }'
EXTRA='resources: { max_memory: 64mb, max_inflight_batches: 1, max_inflight_bytes: 2mb, compression: none }' pipeline "$p"
close_gate dst
RAPIDBYTE_BENCH=1 launch "$RAPIDBYTE" run "$p"
wait_until "$PATIENCE_S" at_gate dst || bail "the destination does not come to the gate: $(<"$TAP_STDERR")"
ok "a slow destination: the source's server waits" wait_until "$PATIENCE_S" session src "wait_event = 'ClientWrite'"
worker=$(worker_of "$RUN_PID")
rss_mb=$(awk '/^VmHWM/ { print int($2 / 1024) }' "/proc/$worker/status")
open_gate dst
finish
is "$status" 0 "a slow destination: it arrives" || diag "$stderr"
same big "a slow destination: exact"
peak=$(peak_mb)
diag "$big_mb MB through a worker of $peak MB at most, $rss_mb MB while it waited"
cmp_ok "$big_mb" -ge 150 "the table is large"
cmp_ok "$peak" -lt 64 "a slow destination: the worker stays small"
dst_sql 'DROP TRIGGER gate ON raw.big'

# Codecs: the batches shrink, the rows do not change.
STREAMS='- { name: a }'
for codec in none lz4 zstd; do
    fresh
    EXTRA="resources: { compression: $codec }" pipeline "$p"
    run_is 0 "compression $codec" "$RAPIDBYTE" run "$p" --output json
    same a "compression $codec: exact"
    smaller=$(report 'report["streams"][0]["compressed_bytes"] * 2 < report["streams"][0]["batch_bytes"]')
    if [[ $codec == none ]]; then
        is "$smaller" False "compression none: batches travel as they are"
    else
        is "$smaller" True "compression $codec: batches of text are less than half as large"
    fi
done

# Lanes, over several streams and over the units of one.
lanes() {
    pg_sql "SELECT count(*) FROM pg_stat_activity WHERE datname = 'src' AND application_name LIKE 'rapidbyte%' AND wait_event = 'advisory'"
}
has_lanes() { [[ $(lanes) == "$1" ]]; }
make_gate src
for n in 1 2 4; do
    fresh
    STREAMS='- { name: a, where: public.gate(id) }
- { name: b, where: public.gate(id) }
- { name: c, where: public.gate(id) }
- { name: d, where: public.gate(id) }' EXTRA="resources: { parallelism: $n }" pipeline "$p"
    close_gate src
    launch "$RAPIDBYTE" run "$p"
    ok "parallelism $n: as many streams at once" wait_until "$PATIENCE_S" has_lanes "$n"
    open_gate src
    finish
    is "$status" 0 "parallelism $n, streams: run" || diag "$stderr"
    for table in a b c d; do same "$table" "parallelism $n, streams: $table"; done

    STREAMS='- { name: a }' EXTRA="resources: { parallelism: $n }" write_mode=replace pipeline "$p"
    run_is 0 "parallelism $n, units of one stream: run" "$RAPIDBYTE" run "$p"
    same a "parallelism $n, units of one stream: exact"
    units=$(dst_sql "SELECT count(*) FROM _rapidbyte.loads WHERE stream = 'a' AND unit >= 0
        AND load_id = (SELECT load_id FROM _rapidbyte.open_loads ORDER BY started DESC LIMIT 1)")
    if [[ $n == 1 ]]; then
        is "$units" 1 "parallelism 1: one unit"
    else
        cmp_ok "$units" -gt 1 "parallelism $n: several units"
    fi
done

# auto: half of the processors, but one connection on each server is the run's own.
fresh
STREAMS='- { name: a }' EXTRA="resources: { parallelism: auto, max_connections: 4 }" write_mode=replace pipeline "$p"
run_is 0 "parallelism auto: run" "$RAPIDBYTE" run "$p"
same a "parallelism auto: exact"
lanes=$(($(nproc) / 2))
lanes=$((lanes < 1 ? 1 : lanes > 3 ? 3 : lanes))
is "$(dst_sql "SELECT count(*) FROM _rapidbyte.loads WHERE stream = 'a' AND unit >= 0")" "$lanes" "parallelism auto: as many units as lanes"

# Limits.
STREAMS='- { name: a }'
fresh
EXTRA='resources: { max_memory: 31mb }' pipeline "$p"
run_is 2 "max_memory below what the document allows" "$RAPIDBYTE" run "$p"
like "$stderr" "max_memory.*32" "it says how much is needed"
EXTRA='resources: { max_memory: 32mb, parallelism: 8 }' pipeline "$p"
run_is 2 "max_memory too small for its lanes" "$RAPIDBYTE" run "$p"
like "$stderr" "max_memory of 32 MiB is too little" "it says so"
like "$stderr" "parallelism" "and what to do"

src_sql "CREATE TABLE wide (id integer PRIMARY KEY, doc text);
    INSERT INTO wide SELECT g, repeat('x', 1000) FROM generate_series(1, 100) g;
    INSERT INTO wide SELECT 777, string_agg(md5(i::text), '') FROM generate_series(1, 196608) i"
STREAMS='- { name: wide }'
fresh
EXTRA='resources: { max_record_bytes: 1mb }' pipeline "$p"
run_is 5 "a row above max_record_bytes" "$RAPIDBYTE" run "$p"
like "$stderr" "stream 'wide'" "max_record_bytes: the stream is named"
like "$stderr" "max_record_bytes" "max_record_bytes: the limit, too"
like "$stderr" "row 101" "max_record_bytes: and the row"
is "$(dst_sql "SELECT to_regclass('raw.wide') IS NULL")" t "max_record_bytes: nothing is visible"
EXTRA='resources: { max_record_bytes: 8mb }' pipeline "$p"
run_is 0 "a row of 6 MB under a higher limit" "$RAPIDBYTE" run "$p"
same wide "a row of 6 MB: exact"
src_sql "INSERT INTO wide SELECT 778, string_agg(doc, '') FROM wide, generate_series(1, 4) WHERE id = 777"
EXTRA='resources: { max_record_bytes: 32mb, max_memory: 1gb }' write_mode=replace pipeline "$p"
run_is 0 "a row of 24 MB under a higher limit" "$RAPIDBYTE" run "$p"
same wide "a row of 24 MB: exact"
STREAMS='- { name: b }' EXTRA='resources: { max_batch_bytes: 64kb }' pipeline "$p"
run_is 0 "max_batch_bytes" "$RAPIDBYTE" run "$p" --output json
cmp_ok "$(report 'report["streams"][0]["batches"]')" -gt 250 "max_batch_bytes: 19 MB in batches of at most 64 kB"
same b "max_batch_bytes: exact"
done_testing

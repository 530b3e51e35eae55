#!/bin/bash
# Schemas of many tables and of wide ones: planned and checked in pieces, in little memory.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
. "$ROOT/tests/lib/faults.sh"
pg_start main || bail "no PostgreSQL"
databases
p=$TAP_DIR/p.yaml
RUN_TIMEOUT_S=120
src_sql 'CREATE SCHEMA many; CREATE SCHEMA wide'
src_sql "DO \$\$ BEGIN FOR i IN 1..1500 LOOP
    EXECUTE format('CREATE TABLE many.a_table_with_a_name_%s AS SELECT %s AS id, NULL::text AS a, now() AS b', i, i); COMMIT; END LOOP; END \$\$"
src_sql "DO \$\$ BEGIN FOR i IN 1..60 LOOP
    EXECUTE (SELECT format('CREATE TABLE wide.t%s (%s)', i, string_agg(format('a_column_with_a_name_%s int', c), ', ')) FROM generate_series(1, 1000) c); COMMIT; END LOOP; END \$\$"

# Little memory: a quarter of what the guests have is the control instances', which plan and begin.
STREAMS='- "many.*"' write_mode=replace EXTRA='resources: { max_memory: 64mb, parallelism: 1 }' pipeline "$p"
run_is 0 "1,500 tables: run" "$RAPIDBYTE" run "$p"
is "$(dst_sql "SELECT count(*) FROM pg_class WHERE relnamespace = 'raw'::regnamespace AND relkind = 'r'")" 1500 "1,500 tables: all of them"
is "$(dst_sql "SELECT count(*), sum((xpath('/row/n/text()', query_to_xml('SELECT count(*) AS n FROM raw.' || relname, false, true, '')))[1]::text::int)
    FROM pg_class WHERE relnamespace = 'raw'::regnamespace AND relkind = 'r'")" "1500|1500" "1,500 tables: every row"
is "$(dst_sql "SELECT count(DISTINCT source_snapshot ->> 'id') FROM _rapidbyte.loads")" 1 "every stream is of one snapshot"
fresh
STREAMS='- "many.*_77"' write_mode=replace pipeline "$p"
run_is 0 "few of many tables: run" "$RAPIDBYTE" run "$p"
is "$(dst_sql "SELECT count(*) FROM raw.a_table_with_a_name_77")" 1 "few of many tables: the one that matches"
fresh
STREAMS='- "wide.*"' write_mode=replace pipeline "$p"
run_is 0 "60,000 columns: run" "$RAPIDBYTE" run "$p"
is "$(dst_sql "SELECT count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid WHERE relnamespace = 'raw'::regnamespace AND attnum > 0")" 60000 "60,000 columns: all of them"
run_is 0 "60,000 columns: check" "$RAPIDBYTE" check "$p"
is "$(grep -c '^ok .*stream t' <<<"$stdout")" 60 "60,000 columns: check looks at each table"

# What a run's beginning holds of every stream has room in the default memory.
fresh
src_sql 'CREATE SCHEMA huge'
dst_sql 'CREATE SCHEMA raw'
huge() { echo "DO \$\$ BEGIN FOR i IN 1..20000 LOOP EXECUTE format('$1 TABLE $2.a_table_with_a_name_%s $3', i);
    IF i % 500 = 0 THEN COMMIT; END IF; END LOOP; END \$\$"; }
src_sql "$(huge CREATE huge '(n int)')"
dst_sql "$(huge CREATE raw '(n int)')"
STREAMS='- "huge.*"' write_mode=replace pipeline "$p"
run_is 0 "20,000 tables: check" "$RAPIDBYTE" check "$p"
is "$(grep -c '^ok .*stream a_table' <<<"$stdout")" 20000 "20,000 tables: check looks at each"
src_sql "$(huge DROP huge)"
dst_sql "$(huge DROP raw)"

# What there is comes in pieces, in the order of names: each stream once, with all of its columns.
discovered() { python3 -c '
import json, sys
streams = json.load(sys.stdin)["streams"]
names = [s["name"] for s in streams]
print(len(names), len(set(names)), names == sorted(names), sum(len(s["schema"]) for s in streams))' <<<"$stdout"; }
for schema in "wide 60 60 True 60000" "many 1500 1500 True 4500" "none 0 0 True 0"; do
    sed "/^  config: /s/schema: public/schema: ${schema%% *}/" "$p" >"$TAP_DIR/discover.yaml"
    echo 'resources: { max_memory: 64mb, parallelism: 1 }' >>"$TAP_DIR/discover.yaml"
    run_is 0 "discover of schema ${schema%% *}" "$RAPIDBYTE" discover "$TAP_DIR/discover.yaml" --output json
    is "$(discovered)" "${schema#* }" "discover of schema ${schema%% *}: each stream and column once"
done
done_testing

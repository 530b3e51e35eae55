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
done_testing

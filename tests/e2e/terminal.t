#!/bin/bash
# What a run shows while it runs: on terminals of any width, and where there is none.
# shellcheck disable=SC2317,SC2329 # functions that wait_until is given
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pg_start main || bail "no PostgreSQL"
databases
src_sql "CREATE TABLE a_table_whose_name_is_rather_long_for_a_terminal (id bigint PRIMARY KEY, pad text);
    INSERT INTO a_table_whose_name_is_rather_long_for_a_terminal SELECT g, repeat(md5(g::text), 40) FROM generate_series(1, 150000) g;
    ANALYZE a_table_whose_name_is_rather_long_for_a_terminal;
    CREATE VIEW v AS SELECT * FROM a_table_whose_name_is_rather_long_for_a_terminal"
STREAMS='- { name: a_table_whose_name_is_rather_long_for_a_terminal }
- { name: v }'
p=$TAP_DIR/p.yaml
EXTRA='resources: { parallelism: 1 }' write_mode=replace pipeline "$p"

# on_terminal <columns> <command>...: both outputs go to a terminal of that width; lines.py prints what was on it, a line each.
cat >"$TAP_DIR/lines.py" <<'PY'
import re, sys
from on_terminal import on_terminal
data, status = on_terminal(sys.argv[2:], int(sys.argv[1]))
for line in re.sub("\x1b\\[[0-9]*[AJ]", "", data.decode()).split("\r\n"):
    print(line)
sys.exit(status)
PY
on_terminal() {
    PYTHONPATH=tests/lib run python3 "$TAP_DIR/lines.py" "$@"
}
widest() {
    python3 -c 'import sys; print(max(len(l.rstrip("\n")) for l in sys.stdin))' <<<"$stdout"
}
for columns in 120 80 60 40; do
    on_terminal "$columns" "$RAPIDBYTE" run "$p"
    is "$status" 0 "$columns columns: it runs" || diag "$stdout"
    # The load's line is for copying, and wraps.
    stdout=$(grep -v '^ok: ' <<<"$stdout")
    cmp_ok "$(widest)" -le "$columns" "$columns columns: every line fits" || diag "$stdout"
    like "$stdout" "^  a_ta.* [0-9,]+ rows  " "$columns columns: rows are whole"
    unlike "$stdout" "[0-9]… |[0-9],\$" "$columns columns: no number is cut"
    like "$stdout" "^a_table.* 150,000 .*ok\$" "$columns columns: the report has rows and outcome"
    like "$stdout" "^  a_ta.* [0-9]+ %" "$columns columns: percent"
    unlike "$stdout" "^  v .*%" "$columns columns: no percent of what has no estimate"
done
python3 -c 'import re, sys
shown = [int(p) for p in re.findall("^  a_ta.* ([0-9]+) %", sys.stdin.read(), re.M)]
assert shown and shown == sorted(shown) and max(shown) < 100, shown' <<<"$stdout"
is "$?" 0 "percent: never less than before, and 100 is for what has ended"
sed 's/{ name: v }/{ name: v }/; s/terminal }/terminal, where: "id > 10" }/' "$p" >"$TAP_DIR/where.yaml"
on_terminal 80 "$RAPIDBYTE" run "$TAP_DIR/where.yaml"
unlike "$stdout" "%" "percent: not of a part of a table"

# How long it will take, by what has come so far: at the destination a trigger naps now and then.
dst_sql "CREATE SCHEMA IF NOT EXISTS raw; CREATE TABLE raw.slow (id bigint, pad text);
    CREATE FUNCTION raw.nap_between() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.id % 2500 = 0 THEN PERFORM pg_sleep(0.1); END IF; RETURN NEW; END';
    CREATE TRIGGER nap BEFORE INSERT ON raw.slow FOR EACH ROW EXECUTE FUNCTION raw.nap_between()"
STREAMS='- { name: slow, table: a_table_whose_name_is_rather_long_for_a_terminal, write_mode: append }' PIPELINE=slow \
    EXTRA='resources: { parallelism: 1, max_batch_bytes: 1mb }' pipeline "$TAP_DIR/slow.yaml"
on_terminal 120 "$RAPIDBYTE" run "$TAP_DIR/slow.yaml"
is "$status" 0 "time left: it runs" || diag "$stdout"
python3 -c 'import re, sys
shown = [tuple(int(n) for n in line) for line in re.findall("^  slow .* ([0-9]+) % +([0-9]+) s(?: +([0-9]+) s left)? .*rows/s", sys.stdin.read(), re.M) if line[2]]
assert len(shown) >= 3, "time left is shown"
for percent, secs, left in shown:
    # Whole seconds, and a whole percent.
    least, most = secs * (99 - percent) / (percent + 1) - 1, (secs + 1) * (100 - percent) / percent + 1
    assert secs >= 2 and least <= left <= most, (percent, secs, left)' <<<"$stdout" 2>"$TAP_DIR/wrong"
is "$?" 0 "time left: as the rows that have come let expect" || diag "$(tail -n 1 "$TAP_DIR/wrong")" "$stdout"

# For wait_until.
reads_indexed() { [[ $(pg_sql "SELECT count(*) FROM pg_locks WHERE relation IS NOT NULL AND mode = 'AccessShareLock' AND granted
    AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = 'dst' AND query LIKE '%pg_sleep(4)%' AND wait_event = 'PgSleep')") -gt 0 ]]; }

# What takes long after the rows have come is named, with its own time.
src_sql 'CREATE TABLE u (id integer PRIMARY KEY); INSERT INTO u SELECT generate_series(1, 10)'
dst_sql "CREATE SCHEMA IF NOT EXISTS raw; CREATE TABLE raw.u (id integer PRIMARY KEY);
    CREATE FUNCTION raw.nap() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(3); RETURN NULL; END';
    CREATE TRIGGER nap BEFORE INSERT ON raw.u EXECUTE FUNCTION raw.nap()"
STREAMS='- { name: u, write_mode: upsert, primary_key: [id] }' PIPELINE=upsert pipeline "$TAP_DIR/upsert.yaml"
for columns in 80 40; do
    on_terminal "$columns" "$RAPIDBYTE" run "$TAP_DIR/upsert.yaml"
    is "$status" 0 "upsert, $columns columns: it runs" || diag "$stdout"
    like "$stdout" "^  u .* rows  merging rows [1-3] s" "upsert, $columns columns: the merge is named, with its time"
done

# So are indexes that are made, and the wait for a lock at the destination. Each takes two seconds and more: a trigger of the database
# naps before an index, a session has the table.
src_sql 'CREATE INDEX u_second ON u (id)'
dst_sql "CREATE FUNCTION raw.nap_first() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(3); END';
    CREATE EVENT TRIGGER nap_first ON ddl_command_start WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION raw.nap_first()"
STREAMS='- { name: u, destination_table: indexed, write_mode: replace, indexes: all }' PIPELINE=indexed pipeline "$TAP_DIR/indexed.yaml"
on_terminal 80 "$RAPIDBYTE" run "$TAP_DIR/indexed.yaml"
is "$status" 0 "indexes: it runs" || diag "$stdout"
like "$stdout" "^  u .* rows  making indexes [1-3] s" "indexes: that they are made is said, with its time"
dst_sql 'DROP EVENT TRIGGER nap_first'
for method in swap truncate; do
    STREAMS="- { name: u, destination_table: indexed, write_mode: replace, replace_method: $method }" PIPELINE=waits pipeline "$TAP_DIR/waits.yaml"
    PGOPTIONS='-c application_name=reader' PG_DATABASE=dst pg_sql 'BEGIN; LOCK TABLE raw.indexed IN ACCESS SHARE MODE; SELECT pg_sleep(4); COMMIT' >/dev/null &
    reader=$!
    wait_until 30 reads_indexed || bail "the table is not locked"
    on_terminal 80 "$RAPIDBYTE" run "$TAP_DIR/waits.yaml"
    wait "$reader"
    is "$status" 0 "$method of a locked table: it runs" || diag "$stdout"
    like "$stdout" "^  u .* rows  waiting for a lock [1-4] s" "$method of a locked table: the wait is named, with its time"
done

# Connectors that have to be compiled first.
RUN_TIMEOUT_S=300
on_terminal 80 env RAPIDBYTE_CACHE_DIR="$TAP_DIR/cold" "$RAPIDBYTE" check "$p"
is "$status" 0 "compiling: on a terminal" || diag "$stdout"
like "$stdout" "^  compiling connector '(source|dest)-postgres', once for this machine +[0-9]+ s" "compiling: on a terminal, with the time that it takes"
run_is 0 "compiling: no terminal" env RAPIDBYTE_CACHE_DIR="$TAP_DIR/cold2" "$RAPIDBYTE" run "$p"
like "$stderr" "^note: compiling connector '(source|dest)-postgres', once for this machine\$" "compiling: no terminal, said beforehand"
like "$stderr" "^note: compiling connector .*: done in [0-9.]+ s\$" "compiling: no terminal, and when it is done"
done_testing

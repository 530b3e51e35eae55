#!/bin/bash
# indexes: what the source's table has is made once the rows are there, in the transaction that makes them visible.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pg_start main || bail "no PostgreSQL"
databases
p=$TAP_DIR/p.yaml

src_sql "CREATE TABLE t (\"Key\" int, a text, b int, c timestamptz, PRIMARY KEY (b, \"Key\"));
    CREATE UNIQUE INDEX t_unique ON t (a DESC NULLS LAST, \"Key\") INCLUDE (c); CREATE INDEX t_pattern ON t (a text_pattern_ops); CREATE INDEX t_hash ON t USING hash (a);
    CREATE INDEX \"t Brin\" ON t USING brin (c); CREATE INDEX t_expression ON t (lower(a)); CREATE INDEX t_partial ON t (c) WHERE b > 1;
    INSERT INTO t SELECT g, 'x' || g, g % 7, now() FROM generate_series(1, 500) g"
go() { # go <exit code> <name> <keys of the stream>
    STREAMS="- { name: t, $3 }" pipeline "$p"
    run_is "$1" "$2" "$RAPIDBYTE" run "$p" || diag "$stderr"
}
gone() { dst_sql 'SET client_min_messages = error; DROP SCHEMA IF EXISTS raw CASCADE; DROP SCHEMA IF EXISTS _rapidbyte CASCADE; CREATE SCHEMA raw'; rm -f "$TAP_DIR"/state.db*; }
has() {
    dst_sql "SELECT string_agg(replace(pg_get_indexdef(indexrelid), 'raw.', 'public.'), E'\n' ORDER BY indexrelid::regclass::text COLLATE \"C\") FROM pg_index WHERE indrelid = 'raw.t'::regclass"
}
all=$(src_sql "SELECT string_agg(pg_get_indexdef(indexrelid), E'\n' ORDER BY indexrelid::regclass::text COLLATE \"C\") FROM pg_index
    WHERE indrelid = 't'::regclass AND indexprs IS NULL AND indpred IS NULL")
key=$(src_sql "SELECT pg_get_indexdef('t_pkey'::regclass)")

for keys in "write_mode: append" "write_mode: replace" "write_mode: replace, replace_method: truncate" "write_mode: upsert, primary_key: [b, Key]"; do
    gone
    go 0 "$keys, all" "$keys, indexes: all"
    is "$(has)" "$all" "$keys: the source's keys and indexes"
    like "$stderr" 'index "t_expression" of the source is not made: it has an expression' "$keys: what is not made is said"
    same t "$keys: the rows"
    [[ $keys == *append ]] || { go 0 "$keys, all, again" "$keys, indexes: all" && is "$(has)" "$all" "$keys: none comes twice"; }
done
gone
go 0 "the primary key alone" "write_mode: replace, indexes: primary_key"
is "$(has)" "$key" "primary_key"
go 0 "what was not wanted before" "write_mode: replace, indexes: all"
is "$(has)" "$all" "a table that is replaced gets what it lacks"
gone
go 0 "none by default" "write_mode: replace"
is "$(has)" "" "none"
dst_sql 'INSERT INTO raw.t SELECT * FROM raw.t'
go 5 "rows with the same key" "write_mode: append, where: \"false\", indexes: primary_key"
like "$stderr" 'table "t" can.t have the primary key as the source has it' "it is said by name"

# Side by side.
gone
src_sql "UPDATE t SET a = a || repeat('x', 400); INSERT INTO t SELECT g, repeat('y', 400) || g, g % 7, now() FROM generate_series(501, 60000) g; ANALYZE t"
dst_sql "CREATE TABLE seen (workers text); CREATE FUNCTION see() RETURNS event_trigger LANGUAGE plpgsql AS
    \$\$ BEGIN INSERT INTO public.seen VALUES (tg_tag || ' ' || current_setting('max_parallel_maintenance_workers')); END \$\$;
    CREATE EVENT TRIGGER see ON ddl_command_end EXECUTE FUNCTION see()"
EXTRA='resources: { parallelism: 5 }' go 0 "in units" "write_mode: replace, indexes: all"
is "$(dst_sql "SELECT workers, count(*) FROM seen WHERE workers LIKE '% 4' GROUP BY 1 ORDER BY 1")" $'ALTER TABLE 4|1\nCREATE INDEX 4|4' "in units: each index by as many processes as there are lanes"
dst_sql "DROP EVENT TRIGGER see"
is "$(dst_sql "SELECT count(*) > 1 FROM _rapidbyte.loads WHERE unit >= 0")|$(has)" "t|$all" "in units: the source's keys and indexes"
same t "in units: the rows"
done_testing

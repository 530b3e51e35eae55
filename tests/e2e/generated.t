#!/bin/bash
# Random tables arrive identical, by COPY and by INSERT. SEED=n says which (default 1), TABLES=n how many (default 24); `make types` tries
# new seeds for minutes. One that does not arrive is made smaller, until one column and one row are left that don't.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pg_start main || bail "no PostgreSQL"
databases
export PG_BIN PG_SOCKET PG_PORT
seed=${SEED:-1}
generate() {
    (cd "$TAP_DIR" && python3 "$ROOT/tests/types/generate.py" "$@")
}
STREAMS=$(generate setup "$seed" "${TABLES:-24}") || bail "seed $seed: the tables could not be made"
write_mode=append
for load_method in copy insert; do
    dst_sql 'DROP SCHEMA IF EXISTS raw CASCADE' 2>/dev/null
    STREAMS='- { name: shrunk }' PIPELINE=shrink STATE=shrink pipeline "$TAP_DIR/shrink.yaml"
    PIPELINE=generated_$load_method STATE=$load_method
    pipeline "$TAP_DIR/p.yaml"
    RUN_TIMEOUT_S=200 run "$RAPIDBYTE" run "$TAP_DIR/p.yaml" --output json
    is "$status" 0 "seed $seed: the run with load_method $load_method" || diag "$(grep -A3 '^error' <<<"$stderr")"
    failures "$TAP_DIR/failures.json"
    relay generate compare "$seed" "$load_method"
done

# A table of which one value can't arrive, made smaller as one that fails would be: its column and row are what is left.
src_sql "CREATE TABLE hopeless (a int, \"b c\" regclass[], d text NOT NULL);
    INSERT INTO hopeless SELECT g, ARRAY['pg_class', CASE WHEN g = 13 THEN 'hopeless' END]::regclass[], 'd' || g FROM generate_series(1, 40) g"
run_is 0 "a table that can't arrive is made smaller" generate shrink hopeless
like "$stdout" '^# smallest: column "b c" regclass\[\], 1 of 40 rows: .*hopeless' "to the column and the row" || diag "$stdout"
like "$stdout" 'relation "public.hopeless" does not exist' "with the reason"
done_testing

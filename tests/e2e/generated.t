#!/bin/bash
# Random tables arrive identical, by COPY and by INSERT. SEED=n says which (default 1), TABLES=n how many (default 24); `make types` tries
# new seeds for minutes.
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
    PIPELINE=generated_$load_method STATE=$load_method
    pipeline "$TAP_DIR/p.yaml"
    run "$RAPIDBYTE" run "$TAP_DIR/p.yaml" --output json
    is "$status" 0 "seed $seed: the run with load_method $load_method" || diag "$(grep -A3 '^error' <<<"$stderr")"
    echo '{}' >"$TAP_DIR/failures.json"
    while IFS= read -r line; do
        case $line in
        'ok '*) pass "${line#ok }, $load_method" ;;
        'not ok '*) fail "${line#not ok }, $load_method" ;;
        *) printf '%s\n' "$line" ;;
        esac
    done < <(generate compare "$seed" || echo "not ok seed $seed: comparing")
done
done_testing

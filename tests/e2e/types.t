#!/bin/bash
# The type matrix (tests/types): each line arrives identical, by COPY and by INSERT. MATRIX_SAMPLE=n takes every nth
# line; MATRIX_RESULTS=folder keeps what docs/types.md is made of.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pg_start main || bail "no PostgreSQL"
databases
export PG_BIN PG_SOCKET PG_PORT
results=${MATRIX_RESULTS:-$TAP_DIR/results}
mkdir -p "$results"
matrix() {
    (cd "$results" && python3 "$ROOT/tests/types/matrix.py" "$@")
}
matrix setup || bail "the matrix could not be made"
STREAMS=$(matrix streams)
write_mode=replace
for load_method in copy insert; do
    PIPELINE=types_$load_method STATE=$load_method
    EXTRA=
    [[ $load_method == copy ]] || EXTRA='resources: { compression: lz4 }'
    dst_sql 'DROP SCHEMA IF EXISTS raw CASCADE' 2>/dev/null
    pipeline "$TAP_DIR/p.yaml"
    run "$RAPIDBYTE" run "$TAP_DIR/p.yaml" --output json
    is "$status" 0 "the run with load_method $load_method" || diag "$(tail -n 20 <<<"$stderr")"
    python3 -c '
import json, sys
answer = json.loads(sys.argv[1] or "{}")
print(json.dumps({s["name"]: s["error"]["message"] for s in answer.get("streams", []) if s.get("error")}))' "$stdout" >"$results/failures.json"
    while IFS= read -r line; do
        case $line in
        'ok '*) pass "${line#ok }" ;;
        'not ok '*) fail "${line#not ok }" ;;
        *) printf '%s\n' "$line" ;;
        esac
    done < <(matrix compare "$load_method" || echo "not ok matrix compare $load_method")
done
done_testing

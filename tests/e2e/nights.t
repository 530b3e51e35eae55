#!/bin/bash
# A month of nights with accidents: tests/nights/month.py. SEED=n says which (default 1), NIGHTS=n how many (default 30).
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pg_start main || bail "no PostgreSQL"
databases
export PG_BIN PG_SOCKET PG_PORT
RUN_TIMEOUT_S=500 run python3 "$ROOT/tests/nights/month.py" "$TAP_DIR" --seed "${SEED:-1}" --nights "${NIGHTS:-30}"
is "$status" 0 "after each night every stream that reported ok is as its source was" || diag "$(tail -n 40 <<<"$stdout")" "$stderr"
like "$stdout" " nights, seed " "the month is over"
done_testing

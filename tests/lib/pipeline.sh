# shellcheck shell=bash
# Pipelines between two databases of a throwaway server, for tests (after tap.sh and pg.sh):
#
#   databases                       # creates src and dst on the running server
#   src_sql 'CREATE TABLE …'        # SQL at the source, dst_sql at the destination
#   STREAMS='- { name: users }' write_mode=append pipeline "$TAP_DIR/p.yaml"
#   run_is 0 "it runs" "$RAPIDBYTE" run "$TAP_DIR/p.yaml"
#   same users "users arrived"      # rows and content hash of public.users and raw.users
#
# pipeline reads these variables, all optional but STREAMS: PIPELINE (name), STREAMS (YAML list items, one a line),
# write_mode, load_method, SOURCE_CONFIG and DEST_CONFIG (further members of config, each ending in a comma),
# SOURCE_EXTRA and DEST_EXTRA (lines below source and destination), EXTRA (lines at the top level).

# With PG_DST_BIN, dst is on a server of its own, of the version that is in that folder.

databases() {
    pg_sql 'CREATE DATABASE src'
    if [[ ${PG_DST_BIN:-} ]]; then
        SOURCE_SERVER=$PG_NAME SOURCE_PORT=$PG_PORT
        PG_BIN=$PG_DST_BIN pg_start destination || return 1
        DEST_SERVER=destination DEST_PORT=$PG_PORT
    fi
    pg_sql 'CREATE DATABASE dst'
    export DST_SOCKET=$PG_SOCKET DST_PORT=$PG_PORT
    [[ -z ${SOURCE_SERVER:-} ]] || pg_use "$SOURCE_SERVER"
}

src_sql() { PG_DATABASE=src pg_sql "$@"; }
dst_sql() {
    if [[ ${DEST_SERVER:-} ]]; then
        (pg_use "$DEST_SERVER" && PG_DATABASE=dst pg_sql "$@")
    else
        PG_DATABASE=dst pg_sql "$@"
    fi
}

# indent <spaces>: standard input, indented; nothing for no input.
indent() {
    local line
    while IFS= read -r line; do
        [[ -z $line ]] || printf '%*s%s\n' "$1" '' "$line"
    done
}

# pipeline <file>
pipeline() {
    {
        cat <<YAML
version: "1.0"
pipeline: ${PIPELINE:-test}
source:
  use: source-postgres
  config: { ${SOURCE_CONFIG:-} host: 127.0.0.1, port: ${SOURCE_PORT:-$PG_PORT}, user: postgres, password: postgres, database: src, schema: public }
  streams:
YAML
        indent 4 <<<"$STREAMS"
        indent 2 <<<"${SOURCE_EXTRA:-}"
        cat <<YAML
destination:
  use: dest-postgres
  config: { ${DEST_CONFIG:-} host: 127.0.0.1, port: ${DEST_PORT:-$PG_PORT}, user: postgres, password: postgres, database: dst, schema: raw, load_method: ${load_method:-copy} }
  write_mode: ${write_mode:-append}
YAML
        indent 2 <<<"${DEST_EXTRA:-}"
        printf 'state: { backend: sqlite, connection: ./%s.db }\n' "${STATE:-state}"
        printf '%s\n' "${EXTRA:-}"
    } >"$1"
}

# content <sql function> <schema.table>: rows, and two sums of hashes of each row's text.
content() {
    "$1" "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'iso_8601'; SET extra_float_digits = 3; SET bytea_output = hex;
        SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0), coalesce(sum(hashtextextended(t::text, 7)), 0) FROM $2 AS t"
}

# failures <file>: what went wrong with which stream of the `run … --output json` just made, as a JSON object.
failures() {
    python3 -c '
import json, sys
answer = json.loads(sys.stdin.read() or "{}")
print(json.dumps({s["name"]: s["error"]["message"] for s in answer.get("streams", []) if s.get("error")}))' <"$TAP_STDOUT" >"$1"
}

# same <table> <name>: public.<table> at the source is raw.<table> at the destination; not for two empty tables.
same() {
    local source target
    source=$(content src_sql "public.$1")
    target=$(content dst_sql "raw.$1" 2>&1)
    if [[ $source == 0\|* ]]; then
        fail "$2" || diag "the source's table is empty: nothing is compared"
    else
        is "$target" "$source" "$2"
    fi
}

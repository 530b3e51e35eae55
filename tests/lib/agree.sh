# shellcheck shell=bash
# What check and run say of the same pipeline, for tests (after tap.sh):
#
#   agree_begin                                       # a server, src and dst; roles etl, reader and other
#   case_of 'CREATE TABLE t (id int)' ''              # both databases anew
#   STREAMS='- { name: t }' write_mode=append document [<role at the destination> [<role at the source>]]
#   agree 4 'permission denied' "no right"            # both refuse it alike, and check changes nothing
#   moves "with the right"                            # both are ok with it, and check changes nothing
#   if has_extensions 6 citext; then …                # where the server has it; else as many tests are skipped, and it is said
#   agree_end                                         # what was heard is what tests/refusals.toml says

# What tap.sh assigns, and what scripts read.
# shellcheck disable=SC2034,SC2154
. tests/lib/pg.sh
. tests/lib/pipeline.sh

p=$TAP_DIR/p.yaml
# A source's table as most cases have it.
# shellcheck disable=SC2034 # the tests use it
keyed='CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, i FROM generate_series(1, 5) i'
agree_begin() {
    pg_start || bail "no PostgreSQL server"
    databases
    pg_sql "CREATE ROLE etl LOGIN; CREATE ROLE reader LOGIN; CREATE ROLE other"
}

# said: of the answer in JSON, the message (without what `run` says of its lanes) and the exit code. It is kept for agree_end.
said() {
    python3 -c '
import json, sys
a = json.load(sys.stdin)
faults = [x["fault"] for x in [*a.get("checks", []), *a.get("streams", []), a] if x.get("fault")]
e = faults[0]["error"] if faults else {"code": "", "message": "nothing", "details": {}}
json.dump({"code": e["code"], "message": e["message"]}, open(sys.argv[1], "w"))
print(a["exit_code"], e["message"], "|", (e.get("details") or {}).get("hint") or "")' "$TAP_DIR/.said" <"$TAP_STDOUT" 2>&1
}
# agreed: what was said last, check and run have both said.
agreed() {
    { cat "$TAP_DIR/.said" && echo; } >>"$TAP_DIR/.heard"
}
# agree_end: check and run were heard to refuse for all that tests/refusals.toml names this test for (or, where some was skipped, for
# some of it), and for nothing else.
agree_end() {
    ok "tests/refusals.toml names this test for what it hears, and for nothing else" \
        tools/check-refusals --heard "$(basename "$0" .t)" "$TAP_DIR/.heard" ${AGREE_SKIPPED:+some}
}
# held: all that check must not change.
held() {
    [[ -z $(dst_sql "SELECT to_regclass('_rapidbyte.rejected')") ]] ||
        dst_sql 'SELECT o, xmin, xmax FROM _rapidbyte.open_loads AS o; SELECT l, xmin, xmax FROM _rapidbyte.loads AS l'
    dst_sql "SELECT (SELECT count(*) FROM pg_class WHERE oid >= 16384), (SELECT count(*) FROM pg_type WHERE oid >= 16384),
        (SELECT count(*) FROM pg_attribute WHERE attrelid >= 16384), (SELECT string_agg(nspname, ',' ORDER BY 1) FROM pg_namespace WHERE nspname !~ '^pg_')"
}
# agree <exit code> <what is said> <name> [<option>…]: of the pipeline in $p, check and then run.
agree() {
    local before checked
    before=$(held)
    run "$RAPIDBYTE" check --output json "$p" "${@:4}"
    checked=$(said)
    like "$checked" "^$1 .*$2" "$3: check"
    is "$(held)" "$before" "$3: check changes nothing"
    run "$RAPIDBYTE" run --output json "$p" "${@:4}"
    is "$(said)" "$checked" "$3: run says the same" && agreed
}
# case_of <source SQL> <destination SQL>: both databases anew.
case_of() {
    dst_sql "SET client_min_messages = error; RESET ROLE; DROP SCHEMA IF EXISTS raw CASCADE; DROP SCHEMA IF EXISTS _rapidbyte CASCADE;
        CREATE SCHEMA raw AUTHORIZATION etl; CREATE SCHEMA _rapidbyte; GRANT USAGE, CREATE ON SCHEMA _rapidbyte TO etl; SET search_path = raw; $2" >/dev/null || bail "$2"
    src_sql "SET client_min_messages = error; DROP SCHEMA IF EXISTS public CASCADE; DROP SCHEMA IF EXISTS two CASCADE; CREATE SCHEMA public; SET search_path = public; $1;
        GRANT USAGE ON SCHEMA public TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader" >/dev/null || bail "$1"
    rm -f "$TAP_DIR"/*.db*
}
# document [<role at the destination> [<role at the source>]]
document() {
    pipeline "$p"
    sed -i -e "s/user: postgres, password: postgres, database: dst/user: ${1:-postgres}, password: postgres, database: dst/" \
        -e "s/user: postgres, password: postgres, database: src/user: ${2:-postgres}, password: postgres, database: src/" "$p"
}
# moves <name> [<option>…]: what check must not refuse, or run would have done in vain.
moves() {
    local before
    before=$(held)
    run_is 0 "$1: check" "$RAPIDBYTE" check "$p" "${@:2}"
    is "$(held)" "$before" "$1: check changes nothing"
    checked=$stdout
    run_is 0 "$1: run" "$RAPIDBYTE" run "$p" "${@:2}"
}
# has_extensions <tests> <extension>…: the server that ./setup installs must have them.
has_extensions() {
    local names
    names=$(printf "'%s'," "${@:2}")
    [[ $(pg_sql "SELECT count(*) FROM pg_available_extensions WHERE name IN (${names%,})") != "$(($# - 1))" ]] || return 0
    if [[ $PG_BIN == /usr/lib/postgresql/* ]]; then
        fail "extensions that ./setup installs: ${*:2}"
    else
        skip "no extensions in $PG_BIN: ${*:2}" "$1"
        AGREE_SKIPPED=1
    fi
    return 1
}

#!/bin/bash
# The least rights: roles that have what docs/permissions.md lists and nothing else. Each statement that a hint names is run as
# it stands, until the run ends well; those are the rights that the mode takes.
. "$(dirname "$0")/../lib/tap.sh"
. tests/lib/pg.sh
. tests/lib/pipeline.sh

pg_start || bail "no PostgreSQL server"
databases
p=$TAP_DIR/p.yaml
pg_sql "REVOKE ALL ON DATABASE dst, src FROM PUBLIC; CREATE ROLE dba; CREATE ROLE etl LOGIN; CREATE ROLE reader LOGIN;
    GRANT CONNECT ON DATABASE dst TO etl; GRANT CONNECT ON DATABASE src TO reader"
src_sql "REVOKE ALL ON SCHEMA public FROM PUBLIC; CREATE TABLE t (id int PRIMARY KEY, v text, a int[]);
    INSERT INTO t SELECT i, 'v' || i, ARRAY[i] FROM generate_series(1, 100) i"

# forget: what the tests before left at the destination.
forget() {
    dst_sql 'SET client_min_messages = error; DROP SCHEMA IF EXISTS raw CASCADE; DROP SCHEMA IF EXISTS _rapidbyte CASCADE;
        REVOKE ALL ON DATABASE dst FROM etl; GRANT CONNECT ON DATABASE dst TO etl; REVOKE dba FROM etl' 2>/dev/null
    rm -f "$TAP_DIR"/*.db*
}
as_etl() {
    pipeline "$p"
    sed -i -e 's/user: postgres, password: postgres, database: dst/user: etl, database: dst/' \
        -e 's/user: postgres, password: postgres, database: src/user: reader, database: src/' "$p"
}
# granted <command>: runs it, and every statement that a hint of it names; the statements, one a line, are in $grants. At most eight times.
granted() {
    local hint i
    grants=
    for ((i = 0; i < 8; i++)); do
        run "$RAPIDBYTE" "$1" "$p"
        hint=$(sed -n 's/.*hint: *\(GRANT .*\)/\1/p' <<<"$stdout$stderr" | head -n 1)
        [[ $status == 4 || $status == 3 ]] && [[ $hint ]] || return 0
        case $hint in *"(or CREATE"*) hint=${hint#*(or } hint=${hint%)} ;; *" (or "*) hint=${hint%% (or *} ;; esac
        grants+=${grants:+$'\n'}$hint
        if [[ $hint == *ON*'"public"'* ]]; then src_sql "$hint"; else dst_sql "$hint"; fi >/dev/null || return 1
    done
}
rows() {
    dst_sql "SELECT count(*) FROM raw.t"
}

# ---- The source: the schema, and the tables.
forget
dst_sql 'CREATE SCHEMA raw AUTHORIZATION etl; CREATE SCHEMA _rapidbyte AUTHORIZATION etl'
STREAMS='- { name: t }' as_etl
granted run
is "$status" 0 "source: with what the hints name the run ends well" || diag "$stdout$stderr"
is "$grants" 'GRANT USAGE ON SCHEMA "public" TO "reader"
GRANT SELECT ON "public"."t" TO "reader"' "source: which are these"
is "$(rows)" 100 "schemas of the role's own, no CREATE on the database: the first run"
run_is 0 "and the next one" "$RAPIDBYTE" run "$p"
is "$(rows)" 200 "its rows"

# ---- Nothing is there.
forget
granted run
is "$status" 0 "nothing is there: the run ends well" || diag "$stdout$stderr"
is "$grants" 'CREATE SCHEMA _rapidbyte AUTHORIZATION etl; CREATE SCHEMA raw AUTHORIZATION etl' "nothing is there: both schemas"
forget
run_is 4 "nothing is there: refused" "$RAPIDBYTE" run "$p"
refused=$(sed -n 's/.*\(the ledger .*permission denied.*\) \[destination\]/\1/p' <<<"$stderr" | head -n 1)
run_is 4 "nothing is there: check, too" "$RAPIDBYTE" check "$p"
is "$(grep -cF "$refused" <<<"$stdout")" 1 "nothing is there: by the same words"
like "$stdout" 'GRANT CREATE ON DATABASE dst TO etl' "nothing is there: the GRANT"

# ---- Schemas of a superuser's, or of somebody's who could misuse the role.
forget
dst_sql 'CREATE SCHEMA raw; CREATE SCHEMA _rapidbyte'
granted run
is "$status" 0 "schemas of a superuser: the run ends well" || diag "$stdout$stderr"
is "$grants" 'GRANT USAGE, CREATE ON SCHEMA _rapidbyte TO etl; GRANT USAGE, CREATE ON SCHEMA raw TO etl' "schemas of a superuser: the rights"
forget
dst_sql 'CREATE SCHEMA raw AUTHORIZATION dba; CREATE SCHEMA _rapidbyte AUTHORIZATION dba; GRANT USAGE, CREATE ON SCHEMA raw, _rapidbyte TO etl'
run_is 4 "a ledger's schema of a third role" "$RAPIDBYTE" run "$p"
like "$stderr" 'the schema of role dba' "a third role's: it is named"
dst_sql 'ALTER SCHEMA _rapidbyte OWNER TO etl'
run_is 0 "a third role's schema of tables serves" "$RAPIDBYTE" run "$p"

# ---- A ledger that a superuser's run made.
forget
dst_sql 'CREATE SCHEMA raw AUTHORIZATION etl'
sed 's/user: etl/user: postgres/' "$p" >"$TAP_DIR/super.yaml"
run_is 0 "a superuser makes the ledger" "$RAPIDBYTE" run "$TAP_DIR/super.yaml"
dst_sql 'DROP TABLE raw.t'
granted run
is "$status" 0 "a superuser's ledger: the run ends well" || diag "$stdout$stderr"
is "$grants" 'GRANT USAGE ON SCHEMA _rapidbyte TO etl; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA _rapidbyte TO etl' \
    "a superuser's ledger: the rights"

# ---- A table that somebody else made, by mode: mode|load method|the rights.
while IFS='|' read -r mode method expected; do
    forget
    dst_sql 'CREATE SCHEMA raw AUTHORIZATION dba; CREATE SCHEMA _rapidbyte AUTHORIZATION etl; SET ROLE dba; CREATE TABLE raw.t (id int PRIMARY KEY, v text, a int[])'
    case $mode in
    append) STREAMS='- { name: t }' write_mode=append ;;
    incremental) STREAMS='- { name: t, sync_mode: incremental, cursor_field: id }' write_mode=append ;;
    upsert) STREAMS='- { name: t }' write_mode=upsert ;;
    truncate) STREAMS='- { name: t, replace_method: truncate }' write_mode=replace ;;
    swap*) STREAMS='- { name: t }' write_mode=replace ;;
    esac
    [[ $mode != swap2 ]] || dst_sql 'ALTER SCHEMA raw OWNER TO postgres; GRANT USAGE ON SCHEMA raw TO etl'
    load_method=$method as_etl
    granted check
    is "$status" 0 "$mode by $method: with what check names it is ok" || diag "$stdout$stderr"
    run_is 0 "$mode by $method: with the rights the run ends well" "$RAPIDBYTE" run "$p"
    is "${grants//$'\n'/; }" "$expected" "$mode by $method: the rights"
    is "$(rows)" 100 "$mode by $method: the rows"
done <<'TABLE'
append|copy|GRANT USAGE ON SCHEMA raw TO etl; GRANT INSERT ON raw.t TO etl
append|insert|GRANT USAGE ON SCHEMA raw TO etl; GRANT INSERT ON raw.t TO etl; GRANT TEMPORARY ON DATABASE dst TO etl
incremental|copy|GRANT USAGE ON SCHEMA raw TO etl; GRANT INSERT ON raw.t TO etl
upsert|copy|GRANT USAGE ON SCHEMA raw TO etl; GRANT SELECT, INSERT, UPDATE ON raw.t TO etl; GRANT TEMPORARY ON DATABASE dst TO etl
truncate|copy|GRANT USAGE ON SCHEMA raw TO etl; GRANT INSERT, TRUNCATE ON raw.t TO etl
swap|copy|GRANT dba TO etl
swap2|copy|GRANT dba TO etl; GRANT CREATE ON SCHEMA raw TO dba; GRANT CREATE ON SCHEMA raw TO etl
TABLE

# ---- A role that makes nothing: check is ok, as the run is. One that may only read: both say so.
forget
dst_sql 'CREATE SCHEMA raw; CREATE SCHEMA _rapidbyte AUTHORIZATION etl; CREATE TABLE raw.t (id int PRIMARY KEY, v text, a int[]);
    GRANT USAGE ON SCHEMA raw TO etl; GRANT INSERT ON raw.t TO etl'
STREAMS='- { name: t }' write_mode=append as_etl
run_is 0 "no CREATE, a table that is there: check" "$RAPIDBYTE" check "$p"
run_is 0 "no CREATE, a table that is there: run" "$RAPIDBYTE" run "$p"
pg_sql 'ALTER ROLE etl SET default_transaction_read_only = on'
for command in check run; do
    run_is 4 "a role that may only read: $command" "$RAPIDBYTE" "$command" "$p"
    like "$stdout$stderr" 'may only read in database "dst": default_transaction_read_only is on' "a role that may only read: $command says so"
done
done_testing

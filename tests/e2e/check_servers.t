#!/bin/bash
# What only some servers have to refuse: a standby at the source, an extension that the destination lacks, keys of PostgreSQL 18.
. "$(dirname "$0")/../lib/tap.sh"
. tests/lib/agree.sh

agree_begin

# ---- Extensions, wherever the type stands.
if has_extensions 12 citext; then
    for kind in 'AS (x citext)|v c|a composite' 'AS (x d)|v c|a domain in a composite' 'AS (x int)|v citext[]|an array' 'AS (x int)|v d[]|an array of a domain'; do
        IFS='|' read -r type column name <<<"$kind"
        case_of "CREATE EXTENSION citext; CREATE DOMAIN d AS citext; CREATE TYPE c $type; CREATE TABLE t ($column)" ''
        STREAMS='- { name: t }' write_mode=append document
        agree 5 'extension "citext"' "an extension that is missing in $name"
    done
fi

# ---- No TEMPORARY: what INSERT needs a temporary table for.
pg_sql 'REVOKE TEMPORARY ON DATABASE dst FROM PUBLIC'
for kind in 'c|a composite' 'c[]|an array of composites' 'int[]|an array' 'd|a domain over an array'; do
    IFS='|' read -r type name <<<"$kind"
    case_of "CREATE TYPE c AS (x int, y text); CREATE DOMAIN d AS int[]; CREATE TABLE t (id int, v $type)" ''
    load_method=insert STREAMS='- { name: t }' write_mode=append document etl
    run "$RAPIDBYTE" check --output json "$p"
    checked=$(said)
    like "$checked" '^4 .*temporary tables' "no TEMPORARY, $name by INSERT: is refused"
    run "$RAPIDBYTE" run --output json "$p"
    is "$(said)" "$checked" "no TEMPORARY, $name by INSERT: check and run say the same" && { [[ $checked == 0* ]] || agreed; }
done
pg_sql 'GRANT TEMPORARY ON DATABASE dst TO PUBLIC'

# ---- A standby.
case_of 'CREATE TABLE t AS SELECT 1 AS id; CREATE UNLOGGED TABLE u AS SELECT 1 AS id; CREATE VIEW w AS SELECT * FROM u' ''
primary=$PG_NAME primary_port=$PG_PORT primary_socket=$PG_SOCKET
pg_follow standby "$primary_socket" "$primary_port" || bail "no standby"
standby_port=$PG_PORT
pg_use "$primary"
for name in u w; do
    DEST_PORT=$primary_port PG_PORT=$standby_port STREAMS="- { name: $name }" write_mode=append document
    agree 3 'unlogged' "an unlogged table on a standby, by $name"
done
DEST_PORT=$primary_port PG_PORT=$standby_port STREAMS='- { name: t }' write_mode=append document
moves "another table on a standby"
DEST_PORT=$standby_port PG_PORT=$primary_port STREAMS='- { name: t }' document
agree 4 'the server of database "dst" is a standby, which can.t be written' "a destination on a standby"
agree_end
done_testing

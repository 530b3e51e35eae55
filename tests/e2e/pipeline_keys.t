#!/bin/bash
# The keys of a pipeline document that no other script has: each shows its effect, or is refused with
# a word about it. A key that did nothing would fail here.
# shellcheck disable=SC2317,SC2329 # functions that wait_until is given
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
. "$ROOT/tests/lib/faults.sh"
pg_start main || bail "no PostgreSQL"
pg_sql "CREATE ROLE keeper LOGIN SUPERUSER PASSWORD 'p@ss/word'; CREATE ROLE reader LOGIN"
pg_hba "host all keeper 127.0.0.1/32 scram-sha-256"
databases
src_sql "CREATE TABLE t (id integer PRIMARY KEY, code text NOT NULL, amount numeric(8,2));
    INSERT INTO t VALUES (1, 'a', 1.50), (2, 'b', NULL), (3, 'c', 99999.99);
    CREATE SCHEMA other; CREATE TABLE other.deep AS SELECT id, 'deep' AS code FROM t;
    CREATE VIEW me AS SELECT current_setting('application_name') AS name, current_user::text AS role"
p=$TAP_DIR/p.yaml
unset PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE PGPASSFILE PGSSLMODE

# go <status> <name> [<option>…]: writes the document and runs it.
go() {
    local expected=$1 name=$2
    shift 2
    pipeline "$p"
    run_is "$expected" "$name" "$RAPIDBYTE" run "$p" "$@"
}

rows() { dst_sql "SELECT coalesce(string_agg(t::text, ' ' ORDER BY t::text), '') FROM raw.$1 t"; }
has_table() { dst_sql "SELECT to_regclass('raw.$1') IS NOT NULL"; }

# What a stream reads and where it goes.
fresh
STREAMS='- { name: chosen, table: t, columns: [code, id], where: id <> 2, destination_table: here }
- { name: deep, schema: other }'
go 0 "table, columns, where, destination_table, schema"
is "$(rows here)" "(a,1) (c,3)" "table, columns, where, destination_table: what arrived"
is "$(has_table chosen)" f "destination_table: not under the stream's name"
is "$(rows deep)" "(1,deep) (2,deep) (3,deep)" "schema: what arrived"
STREAMS='- { name: t, columns: [id, nothing] }'
go 3 "columns: one that is not there"
like "$stderr" "nothing" "columns: it is named"
STREAMS='- { name: t, where: "id = 1) TO STDOUT; DROP TABLE t; --" }'
go 3 "where: more than a condition"
is "$(src_sql 'SELECT count(*) FROM t')" 3 "where: it did nothing"

# write_mode and primary_key, of a stream before those of the destination.
fresh
STREAMS='- { name: appended, table: t, write_mode: append }
- { name: replaced, table: t, write_mode: replace }
- { name: upserted, table: t, write_mode: upsert, primary_key: [code] }
- { name: default, table: t }'
DEST_EXTRA='primary_key: [id, code]' write_mode=upsert
go 0 "write_mode of each stream"
go 0 "write_mode of each stream, again"
is "$(for table in appended replaced upserted default; do dst_sql "SELECT count(*) FROM raw.$table"; done | paste -sd ' ')" \
    "6 3 3 3" "write_mode: the rows after two loads"
key="SELECT coalesce(pg_get_constraintdef((SELECT oid FROM pg_constraint WHERE contype = 'p' AND conrelid = 'raw.%s'::regclass)), '')"
# shellcheck disable=SC2059
is "$(for table in upserted default; do dst_sql "$(printf "$key" "$table")"; done | paste -sd ' ')" \
    "PRIMARY KEY (code) PRIMARY KEY (id, code)" "primary_key: the stream's, else the destination's"
unset DEST_EXTRA
write_mode=append

# replace_method
fresh
write_mode=replace STREAMS='- { name: swapped, table: t }
- { name: emptied, table: t, replace_method: truncate }'
go 0 "replace_method"
oids() { dst_sql "SELECT 'raw.swapped'::regclass::oid, 'raw.emptied'::regclass::oid"; }
before=$(oids)
go 0 "replace_method, again"
after=$(oids)
isnt "${after%|*}" "${before%|*}" "replace_method: swap brings another table"
is "${after#*|}" "${before#*|}" "replace_method: truncate keeps the table"
is "$(rows emptied)" "(1,a,1.50) (2,b,) (3,c,99999.99)" "replace_method: truncate, what arrived"
STREAMS='- { name: t }' DEST_EXTRA='replace_method: truncate' go 0 "replace_method of the destination"
before=$(dst_sql "SELECT 'raw.t'::regclass::oid")
STREAMS='- { name: t }' DEST_EXTRA='replace_method: truncate' go 0 "replace_method of the destination, again"
is "$(dst_sql "SELECT 'raw.t'::regclass::oid")" "$before" "replace_method of the destination: the table is kept"
write_mode=append

# schema_evolution, of a stream or the destination. evolve <status> <policy> <what was created as raw.t>
evolve() {
    dst_sql "SET client_min_messages = error; DROP SCHEMA IF EXISTS raw CASCADE; CREATE SCHEMA raw; CREATE TABLE raw.t ($3)"
    STREAMS="- { name: t, schema_evolution: { $2 } }" go "$1" "schema_evolution $2 with ($3)"
}
fresh
evolve 0 'new_column: add' 'id integer, code text'
is "$(rows t)" "(1,a,1.50) (2,b,) (3,c,99999.99)" "new_column: add"
evolve 0 'new_column: ignore' 'id integer, code text'
is "$(rows t)" "(1,a) (2,b) (3,c)" "new_column: ignore"
evolve 5 'new_column: fail' 'id integer, code text'
like "$stderr" '"amount"' "new_column: fail names the column"
evolve 0 'removed_column: ignore' 'id integer, code text, amount numeric(8,2), gone text'
evolve 5 'removed_column: fail' 'id integer, code text, amount numeric(8,2), gone text'
like "$stderr" '"gone"' "removed_column: fail names the column"
evolve 0 'type_change: coerce' 'id bigint, code varchar(5), amount text'
is "$(rows t)" "(1,a,1.50) (2,b,) (3,c,99999.99)" "type_change: coerce"
evolve 5 'type_change: coerce' 'id integer, code text, amount numeric(4,2)'
evolve 5 'type_change: fail' 'id bigint, code text, amount numeric(8,2)'
like "$stderr" '"id"' "type_change: fail names the column"
evolve 0 'nullability_change: allow' 'id integer, code text, amount numeric(8,2) DEFAULT 0'
evolve 5 'nullability_change: fail' 'id integer, code text, amount numeric(8,2) NOT NULL'
like "$stderr" '"amount".*nullability_change' "nullability_change: fail names the column"
is "$(rows t)" "" "nullability_change: nothing is visible"
dst_sql "DROP TABLE raw.t; CREATE TABLE raw.t (id integer, code text)"
STREAMS='- { name: t }' DEST_EXTRA='schema_evolution: { new_column: fail }' go 5 "schema_evolution of the destination"

# cursor_nulls, and lookback for what is committed late.
src_sql "CREATE TABLE n (id integer, v text); INSERT INTO n VALUES (1, 'x'), (NULL, 'none')"
for nulls in include exclude; do
    fresh
    STREAMS="- { name: n, sync_mode: incremental, cursor_field: id, cursor_nulls: $nulls }"
    go 0 "cursor_nulls: $nulls"
    go 0 "cursor_nulls: $nulls, again"
    src_sql "INSERT INTO n VALUES (NULL, 'another')"
    go 0 "cursor_nulls: $nulls, with another"
    is "$(dst_sql 'SELECT count(id), count(*) - count(id) FROM raw.n')" "$([[ $nulls == include ]] && echo '1|2' || echo '1|0')" \
        "cursor_nulls: $nulls, rows with and without a cursor"
done
fresh
STREAMS='- { name: n, sync_mode: incremental, cursor_field: id, cursor_nulls: fail }'
pipeline "$p"
run "$RAPIDBYTE" run "$p"
isnt "$status" 0 "cursor_nulls: fail"
like "$stderr" '"?id"?.*NULL|NULL.*"?id"?' "cursor_nulls: fail says why"
is "$(has_table n)" f "cursor_nulls: fail, nothing is visible"

make_gate src
src_sql 'CREATE TABLE late (id bigint); INSERT INTO late SELECT 1000 + g FROM generate_series(1, 10) g'
fresh
for lookback in 500 0; do
    PIPELINE=late$lookback STREAMS="- { name: late, destination_table: late$lookback, sync_mode: incremental, cursor_field: id, lookback: $lookback }" \
        pipeline "$TAP_DIR/late$lookback.yaml"
done
close_gate src
PGAPPNAME=slow-writer src_sql 'INSERT INTO late VALUES (900), (100); SELECT gate(20000)' >/dev/null 2>&1 &
writer=$!
writer_waits() { [[ $(pg_sql "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'slow-writer' AND wait_event = 'advisory'") == 1 ]]; }
wait_until "$PATIENCE_S" writer_waits || bail "the slow writer does not write"
for lookback in 500 0; do run_is 0 "lookback: $lookback, first run" "$RAPIDBYTE" run "$TAP_DIR/late$lookback.yaml"; done
open_gate src
wait "$writer"
for lookback in 500 0; do run_is 0 "lookback: $lookback, after a late commit" "$RAPIDBYTE" run "$TAP_DIR/late$lookback.yaml"; done
is "$(dst_sql 'SELECT count(*), min(id) FROM raw.late500')" "11|900" "lookback: 500 finds what is within it, once"
is "$(dst_sql 'SELECT count(*), min(id) FROM raw.late0')" "10|1001" "lookback: 0 does not"

# checkpoint_interval_*: tests/e2e/checkpoints.t; where no stream can be committed in parts they are refused.
fresh
for key in bytes rows seconds; do
    STREAMS='- { name: t }' EXTRA="resources: { checkpoint_interval_$key: 5 }" go 2 "checkpoint_interval_$key for a stream that is read whole"
    like "$stderr" "p.yaml:[0-9]+:[0-9]+: checkpoint_interval_$key: no stream is both" "checkpoint_interval_$key is refused by name"
    STREAMS='- { name: t, sync_mode: incremental, cursor_field: id, write_mode: upsert, primary_key: [id] }' \
        EXTRA="resources: { checkpoint_interval_$key: 5 }" go 2 "checkpoint_interval_$key for an upsert"
done
STREAMS='- { name: t, sync_mode: incremental, cursor_field: id }' \
    EXTRA='transforms: [{ use: transform-mask, config: { columns: [id] } }]
resources: { checkpoint_interval_rows: 5 }' go 2 "checkpoint_interval_rows with a transform"
like "$stderr" "checkpoint_interval_rows: streams that pass through transforms" "is refused by name"

# What is not supported is refused by name, not ignored.
STREAMS='- { name: t, sync_mode: cdc }' go 2 "sync_mode: cdc"
like "$stderr" "'cdc' is not supported" "sync_mode: cdc is refused by name"

# permissions
fresh
STREAMS='- { name: t }'
SOURCE_EXTRA="permissions: { hosts: [127.0.0.1:$PG_PORT, 10.0.0.0/8] }" go 0 "permissions.hosts lets the host in"
SOURCE_EXTRA='permissions: { hosts: [10.0.0.0/8] }' go 2 "permissions.hosts of the source keeps it out"
like "$stderr" "permissions.hosts does not let this host in" "permissions.hosts says so"
DEST_EXTRA="permissions: { hosts: ['127.0.0.1:1'] }" go 2 "permissions.hosts of the destination, another port"
SOURCE_EXTRA='permissions: { secrets: plaintext }' go 3 "permissions.secrets: plaintext"
like "$stderr" "must be the host's reference to a secret" "the connector got the plain text, which this one refuses"
SOURCE_EXTRA='permissions: { env: [HOME] }' go 2 "permissions.env: one that the manifest does not ask for"
like "$stderr" "does not ask for the variable HOME" "permissions.env says so"

# Configuration: the URL, the environment, the password file, by name.
sides() { # sides <source's config> <destination's config>
    printf 'version: "1.0"\npipeline: sides\nsource:\n  use: source-postgres\n  config: { %s }\n  streams: [%s]\n' "$1" "${3:-t}"
    printf 'destination:\n  use: dest-postgres\n  config: { load_method: copy, schema: raw%s }\n' "${2:+, $2}"
    printf 'state: { connection: ./sides.db }\n'
}
fresh
url=postgresql://keeper:p%40ss%2Fword@127.0.0.1:$PG_PORT
sides "url: \"$url/src\"" "url: \"$url/dst?sslmode=disable\"" >"$p"
run_is 0 "url" "$RAPIDBYTE" run "$p"
is "$(rows t)" "(1,a,1.50) (2,b,) (3,c,99999.99)" "url: what arrived"
sides "url: \"$url/src\", database: dst" "url: \"$url/dst\"" >"$p"
run_is 2 "url and a key that contradict each other" "$RAPIDBYTE" run "$p"
like "$stderr" "database: the connection URL says another" "url: the key is named"
unlike "$stderr" "ss/word|ss%2Fword" "url: its password is not shown"
sides "url: \"$url/src\"" "url: \"$url/dst?target_session_attrs=any\"" >"$p"
run_is 2 "url: an option that has no effect" "$RAPIDBYTE" run "$p"

fresh
sides "database: src" "" >"$p"
env=(env PGHOST=127.0.0.1 "PGPORT=$PG_PORT" PGUSER=keeper PGDATABASE=dst)
run_is 0 "PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE" "${env[@]}" PGPASSWORD=p@ss/word "$RAPIDBYTE" run "$p"
is "$(rows t)" "(1,a,1.50) (2,b,) (3,c,99999.99)" "libpq's variables: what arrived"
run_is 4 "PGPASSWORD, a wrong one" "${env[@]}" PGPASSWORD=wrong "$RAPIDBYTE" run "$p"
printf '127.0.0.1:%s:*:keeper:p@ss/word\n' "$PG_PORT" >"$TAP_DIR/pgpass"
chmod 600 "$TAP_DIR/pgpass"
run_is 0 "PGPASSFILE" "${env[@]}" PGPASSFILE="$TAP_DIR/pgpass" "$RAPIDBYTE" run "$p"
run_is 3 "PGSSLMODE=require, of a server without TLS" "${env[@]}" PGPASSWORD=p@ss/word PGSSLMODE=require "$RAPIDBYTE" check "$p"
run_is 3 "no user" env PGHOST=127.0.0.1 PGPORT="$PG_PORT" PGPASSWORD=wrong "$RAPIDBYTE" check "$p"
like "$stderr$stdout" "$(id -un)" "no user: it is the system's"

fresh
STREAMS='- { name: me }'
SOURCE_CONFIG='application_name: my name,' go 0 "application_name"
is "$(rows me)" '("my name",postgres)' "application_name: seen by the server"
STREAMS='- { name: me, destination_table: you }' go 0 "no application_name"
is "$(rows you)" '("rapidbyte test",postgres)' "application_name: the pipeline's by default"
src_sql "CREATE TABLE guarded (id integer); INSERT INTO guarded VALUES (1), (2); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
    CREATE POLICY one ON guarded TO reader USING (id = 1); GRANT SELECT ON guarded TO reader"
sides "host: 127.0.0.1, port: $PG_PORT, user: reader, database: src" "url: \"$url/dst\"" guarded >"$p"
run "$RAPIDBYTE" run "$p"
is "$status" 3 "row_security: error" || diag "$stderr"
is "$(has_table guarded)" f "row_security: error, nothing is visible"
sides "host: 127.0.0.1, port: $PG_PORT, user: reader, database: src, row_security: filter" "url: \"$url/dst\"" guarded >"$p"
run_is 0 "row_security: filter" "$RAPIDBYTE" run "$p"
is "$(rows guarded)" "(1)" "row_security: filter, what this role may see"

# state: a relative path starts in the document's folder.
fresh
mkdir "$TAP_DIR/folder"
STREAMS='- { name: t }' STATE=../beside pipeline "$TAP_DIR/folder/p.yaml"
run_is 0 "state.connection" "$RAPIDBYTE" run "$TAP_DIR/folder/p.yaml"
is "$(run_record "$TAP_DIR/beside.db")" "ok|0" "state.connection: relative to the document"
STREAMS='- { name: t }' pipeline "$p"
sed 's/backend: sqlite/backend: mysql/' "$p" >"$TAP_DIR/backend.yaml"
run_is 2 "state.backend" "$RAPIDBYTE" run "$TAP_DIR/backend.yaml"
like "$stderr" "backend: 'mysql' is none of sqlite" "state.backend: says which there is"

# resources.max_connections bounds the lanes: one connection on each server is the run's own.
fresh
src_sql "CREATE TABLE g (id integer); INSERT INTO g VALUES (20000)"
STREAMS='- { name: g1, table: g, where: public.gate(id) }
- { name: g2, table: g, where: public.gate(id) }
- { name: g3, table: g, where: public.gate(id) }
- { name: g4, table: g, where: public.gate(id) }' EXTRA='resources: { parallelism: 4, max_connections: 3 }' pipeline "$p"
close_gate src
launch "$RAPIDBYTE" run "$p"
at_gate_are() { [[ $(pg_sql "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND application_name LIKE 'rapidbyte%'") == "$1" ]]; }
ok "max_connections: two streams at once" wait_until "$PATIENCE_S" at_gate_are 2
open_gate src
finish
is "$status" 0 "max_connections: run" || diag "$stderr"
# The most streams that were under way at one moment.
is "$(state_sql "$TAP_DIR/state.db" 'SELECT max(n) FROM (SELECT (SELECT count(*) FROM run_streams b
    WHERE b.started_unix_us <= a.started_unix_us AND b.ended_unix_us > a.started_unix_us) AS n FROM run_streams a)')" 2 "max_connections: never more"
is "$(for i in 1 2 3 4; do rows "g$i"; done | paste -sd ' ')" "(20000) (20000) (20000) (20000)" "max_connections: all streams arrive"

# timeouts
src_sql "CREATE VIEW slow AS SELECT 1 AS id FROM pg_sleep(60)"
EXTRA='resources: { max_connections: 1 }' go 2 "max_connections: too few"
STREAMS='- { name: slow }' EXTRA='timeouts: { statement: 300ms }' go 3 "timeouts.statement"
like "$stderr" "statement timeout" "timeouts.statement: the server's word"
src_sql "CREATE TABLE bulk AS SELECT 20001 - g AS id, repeat(md5(g::text), 32) AS pad FROM generate_series(1, 20000) g"
dst_sql 'CREATE TABLE raw.bulk (id integer, pad text); CREATE TABLE raw.t (id integer, code text, amount numeric(8,2))'
gate_trigger raw.bulk
close_gate dst
STREAMS='- { name: bulk }' EXTRA='timeouts: { idle: 500ms }
resources: { max_retries: 0 }' go 4 "timeouts.idle, of a server that takes nothing"
like "$stderr" "took no data for 500 ms" "timeouts.idle: says so"
open_gate dst
close_gate dst
PGAPPNAME=locker dst_sql 'BEGIN; LOCK TABLE raw.t; SELECT public.gate(20000)' >/dev/null 2>&1 &
locker_waits() { [[ $(pg_sql "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'locker' AND wait_event = 'advisory'") == 1 ]]; }
wait_until "$PATIENCE_S" locker_waits || bail "the table is not locked"
STREAMS='- { name: t }' EXTRA='timeouts: { lock: 300ms }
resources: { max_retries: 0 }' go 4 "timeouts.lock"
like "$stderr" "lock timeout" "timeouts.lock: the server's word"
open_gate dst
python3 -c '
import socket, time
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(16)
print(s.getsockname()[1], flush=True)
time.sleep(600)' >"$TAP_DIR/mute" &
at_exit kill -KILL $!
wait_until "$PATIENCE_S" test -s "$TAP_DIR/mute"
start=$(now_ms)
SOURCE_PORT=$(<"$TAP_DIR/mute") STREAMS='- { name: t }' EXTRA='timeouts: { connect: 400ms }
resources: { max_retries: 0 }' go 3 "timeouts.connect"
took=$(($(now_ms) - start))
cmp_ok "$took" -lt 5000 "timeouts.connect: not the 10 s that it is by default"
like "$stderr" "$(<"$TAP_DIR/mute").*did not answer within the connect timeout" "timeouts.connect: says where"
done_testing

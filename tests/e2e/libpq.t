#!/bin/bash
# What works with psql works here, and gets to the same place: variables, URLs, service files.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
for name in $(compgen -e PG | grep -Ev '^PG_(BIN|DST_BIN)$'); do
    unset "$name"
done
PG_AUTH=scram-sha-256 pg_start main || bail "no PostgreSQL"
databases
for name in src other; do
    PG_DATABASE=postgres pg_sql "SELECT 1 FROM pg_database WHERE datname = '$name'" | grep -q 1 || pg_sql "CREATE DATABASE $name"
    PG_DATABASE=$name pg_sql "CREATE VIEW public.place AS SELECT current_user::text AS who, current_database()::text AS db,
        CASE WHEN current_setting('application_name') LIKE 'mine%' THEN current_setting('application_name') END AS app,
        (inet_server_addr() IS NULL) AS local"
done
pg_sql "CREATE ROLE ann LOGIN SUPERUSER PASSWORD 'pw of ann'; CREATE ROLE bob LOGIN SUPERUSER PASSWORD 'b@b/:'"
me=$(id -un)
if [[ $me == postgres ]]; then
    pg_sql "ALTER ROLE postgres PASSWORD 'pw of me'"
else
    pg_sql "CREATE ROLE \"$me\" LOGIN SUPERUSER PASSWORD 'pw of me'"
fi
export RAPIDBYTE_CACHE_DIR=${RAPIDBYTE_CACHE_DIR:-$HOME/.cache/rapidbyte/aot}
export HOME=$TAP_DIR/home
mkdir "$HOME" "$TAP_DIR/etc"
cat >"$HOME/.pg_service.conf" <<CONF
# Two of them.
[ann]
host=127.0.0.1
port=$PG_PORT
user=ann
password=pw of ann
dbname=src
connect_timeout=10
keepalives=1
  [bob]
user=bob
host=127.0.0.1
port=$PG_PORT
dbname=other
user=nobody
application_name=mine too
[bad]
host=127.0.0.1
user ann
[nested]
service=ann
[unknown]
host=127.0.0.1
hostt=x
[asks]
host=127.0.0.1
port=$PG_PORT
user=ann
dbname=src
options=-c geqo=off
CONF
sed 's/^\[ann\]/[system]/' "$HOME/.pg_service.conf" >"$TAP_DIR/etc/pg_service.conf"
sed 's/^\[bob\]/[given]/; s/^  \[bob\]/[given]/' "$HOME/.pg_service.conf" >"$TAP_DIR/given.conf"
printf '127.0.0.1:%s:*:bob:b@b/\\:\n' "$PG_PORT" >"$HOME/.pgpass"
chmod 600 "$HOME/.pgpass"
p=$TAP_DIR/p.yaml
dst="host: 127.0.0.1, port: $PG_PORT, user: postgres, password: postgres, database: dst, service: own"
printf '\n[own]\nuser=nobody\n' | tee -a "$HOME/.pg_service.conf" "$TAP_DIR/etc/pg_service.conf" >>"$TAP_DIR/given.conf"

# alike <name> <source's config> <URL or "" for psql> [<variable>…]: both get to the same place, or neither anywhere.
# Variables are for the source alone, so its name stands for all that they say of the destination.
alike() {
    local name=$1 config=$2 url=$3 theirs ours
    shift 3
    theirs=$(env "$@" psql -XAtq --no-password ${url:+"$url"} -c 'SELECT * FROM public.place' 2>"$TAP_DIR/psql.err") || theirs=refused
    cat >"$p" <<YAML
version: "1.0"
pipeline: place
source: { use: source-postgres, config: { $config }, streams: [place] }
destination: { use: dest-postgres, config: { $dst, schema: raw }, write_mode: replace }
state: { connection: ./state.db }
resources: { max_retries: 0 }
YAML
    dst_sql 'DROP TABLE IF EXISTS raw.place' 2>/dev/null
    run env "$@" "$RAPIDBYTE" run "$p"
    ours=$(dst_sql 'SELECT * FROM raw.place' 2>/dev/null) || ours=refused
    [[ $status == 0 ]] || ours=refused
    is "$ours" "$theirs" "$name" || diag "$stderr" "$(<"$TAP_DIR/psql.err")"
    last=$ours
}
server="PGHOST=127.0.0.1 PGPORT=$PG_PORT"
# shellcheck disable=SC2086 # words
{
    alike "variables" "" "" $server PGUSER=ann "PGPASSWORD=pw of ann" PGDATABASE=src
    is "$last" "ann|src||f" "variables: where that is"
    alike "variables, and a password file" "" "" $server PGUSER=bob PGDATABASE=other
    is "$last" "bob|other||f" "a password file: where that is"
    alike "the database is the user's" "" "" $server PGUSER=ann "PGPASSWORD=pw of ann"
    alike "no user is the system's" "" "" $server PGDATABASE=src "PGPASSWORD=pw of me"
    is "$last" "$me|src||f" "no user is the system's: where that is"
    alike "no user, no database" "" "" $server "PGPASSWORD=pw of me"
    alike "a Unix socket" "" "" "PGHOST=$PG_SOCKET" "PGPORT=$PG_PORT" PGUSER=ann PGDATABASE=src
    is "$last" "ann|src||t" "a Unix socket: where that is"
    alike "a URL goes before variables" "url: \"postgresql://bob@127.0.0.1:$PG_PORT/other\"" "postgresql://bob@127.0.0.1:$PG_PORT/other" PGUSER=ann PGDATABASE=src
    alike "a URL takes from variables" "url: \"postgresql:///other?user=bob\"" "postgresql:///other?user=bob" $server
    alike "a wrong password" "" "" $server PGUSER=ann PGPASSWORD=x PGDATABASE=src
    is "$last" refused "a wrong password is refused"
    alike "PGSERVICE" "" "" PGSERVICE=ann
    is "$last" "ann|src||f" "PGSERVICE: where that is"
    alike "a service goes before variables" "" "" PGSERVICE=ann PGUSER=bob PGDATABASE=other PGPASSWORD=x
    alike "the first of two options, and a password file" "" "" PGSERVICE=bob
    is "$last" "bob|other|mine too|f" "the first of two options: where that is"
    alike "a URL goes before its service" "url: \"postgresql:///other?service=ann\"" "postgresql:///other?service=ann"
    is "$last" "ann|other||f" "a URL goes before its service: where that is"
    alike "the document, too" "service: ann, database: other" "service=ann dbname=other"
    alike "the system's file" "" "" PGSERVICE=system "PGSYSCONFDIR=$TAP_DIR/etc"
    is "$last" "ann|src||f" "the system's file: where that is"
    alike "PGSERVICEFILE" "" "" PGSERVICE=given "PGSERVICEFILE=$TAP_DIR/given.conf"
    is "$last" "bob|other|mine too|f" "PGSERVICEFILE: where that is"
    for name in nowhere bad nested unknown; do
        alike "a service that is $name" "service: $name" "service=$name"
        is "$last" refused "a service that is $name is refused"
    done
    alike "no PGSERVICEFILE" "service: ann" "service=ann" "PGSERVICEFILE=$TAP_DIR/missing.conf"
}
like "$stderr" 'the service file .*/missing.conf can.t be read: No such file' "no PGSERVICEFILE: says so"
mkfifo -m 600 "$TAP_DIR/fifo"
run_is 2 "a service file that would be waited for" timeout -s KILL 10 env "PGSERVICEFILE=$TAP_DIR/fifo" "$RAPIDBYTE" run "$p"
like "$stderr" 'the service file .*/fifo can.t be read: it is no regular file' "a service file that would be waited for: says so"
sed -i "s/service: ann/host: 127.0.0.1, user: bob, database: other/" "$p"
run_is 2 "a password file that would be waited for" timeout -s KILL 10 env "PGPASSFILE=$TAP_DIR/fifo" "$RAPIDBYTE" run "$p"
like "$stderr" 'the password file .*/fifo can.t be read: it is no regular file' "a password file that would be waited for: says so"
sed -i 's/host: 127.0.0.1, user: bob, database: other/service: ann/' "$p"
sed -i 's/service: ann/service: asks/' "$p"
run_is 2 "a service's option that would have an effect" "$RAPIDBYTE" run "$p"
like "$stderr" "the service's option 'options' is not supported" "a service's option: is named"
sed -i 's/service: asks/service: bad/' "$p"
run "$RAPIDBYTE" run "$p"
like "$stderr" "the service file .*/.pg_service.conf, line [0-9]+: an option has the form name=value" "a bad line is named by its number"
unlike "$stderr" "user ann" "a bad line is not shown"
done_testing

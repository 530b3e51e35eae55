# shellcheck shell=bash
# Throwaway PostgreSQL servers, for tests (after tap.sh) and for tools (alone):
#
#   pg_start                     # one server; sets PG_PORT, PG_DATA, PG_SOCKET, PG_USER, PG_LOG
#   pg_sql 'SELECT 1'            # psql: tuples only, unaligned, stops at the first error
#   pg_stop                      # also done at the script's end
#
# Each server has a temporary folder of its own (data, socket, log) and a free TCP port on 127.0.0.1.
# It never runs as root: root hands it to the user postgres, or nobody. Its superuser is `postgres`,
# password `postgres`; connections are trusted unless PG_AUTH says otherwise.
#
#   PG_BIN      folder of initdb and postgres; default: the newest in /usr/lib/postgresql
#   PG_AUTH     trust (default), scram-sha-256, md5, password: for TCP; the socket is always trusted
#   PG_FSYNC    off (default) or on
#   PG_WANT_PORT  a port to take when it is free (the demo's 5433)
#   PG_OPTIONS  an array of further settings, "name=value"
#
# Several servers: pg_start NAME keeps each one's variables; pg_use NAME switches between them.

PG_AUTH=${PG_AUTH:-trust}
PG_FSYNC=${PG_FSYNC:-off}
PG_SUPERUSER=postgres
PG_PASSWORD=postgres
PG_START_ATTEMPTS=5
declare -A PG_SERVERS=()
[[ -v PG_OPTIONS ]] || PG_OPTIONS=()

# The newest server that is installed, or $PG_BIN.
pg_find() {
    if [[ -n ${PG_BIN:-} ]]; then
        [[ -x $PG_BIN/initdb ]] || {
            echo "no initdb in PG_BIN=$PG_BIN" >&2
            return 1
        }
        return 0
    fi
    local version
    version=$(find /usr/lib/postgresql -mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null | sort -rn | head -n 1)
    PG_BIN=/usr/lib/postgresql/$version/bin
    [[ -x $PG_BIN/initdb && -x $PG_BIN/postgres ]] || {
        echo "no PostgreSQL in /usr/lib/postgresql (./setup installs one)" >&2
        return 1
    }
}

# pg_as_owner <command words>: as the user that owns the server.
pg_as_owner() {
    if [[ $(id -u) != 0 ]]; then
        "$@"
    else
        setpriv --reuid="$PG_OWNER" --regid="$(id -g "$PG_OWNER")" --clear-groups -- \
            env HOME="$PG_DIR" "$@"
    fi
}

# A port that nobody listens on. Another may take it before the server does: pg_start tries again.
pg_free_port() {
    python3 -c '
import socket, sys
for port in (int(sys.argv[1] or 0), 0):
    try:
        with socket.socket() as s:
            s.bind(("127.0.0.1", port))
            print(s.getsockname()[1])
            break
    except OSError:
        pass' "${1:-0}"
}

pg_make_cluster() {
    local password_file=$PG_DIR/password quiet=()
    # PostgreSQL 14 and later.
    ! "$PG_BIN/initdb" --help | grep -q -e --no-instructions || quiet=(--no-instructions)
    printf '%s\n' "$PG_PASSWORD" >"$password_file"
    chmod 644 "$password_file"
    pg_as_owner "$PG_BIN/initdb" --pgdata="$PG_DATA" --username="$PG_SUPERUSER" \
        --pwfile="$password_file" --auth-local=trust --auth-host="$PG_AUTH" --encoding=UTF8 \
        --locale=C --no-sync "${quiet[@]}" >"$PG_DIR/initdb.log" 2>&1 || {
        cat "$PG_DIR/initdb.log" >&2
        return 1
    }
    {
        printf "listen_addresses = '127.0.0.1'\n"
        printf "unix_socket_directories = '%s'\n" "$PG_SOCKET"
        printf "fsync = %s\n" "$PG_FSYNC"
        printf "max_connections = 50\nshared_buffers = 128MB\nmax_wal_size = 4GB\n"
        printf "logging_collector = off\nlog_min_messages = warning\n"
        [[ $PG_AUTH != md5 ]] || printf "password_encryption = md5\n"
        local option
        for option in ${PG_OPTIONS[@]+"${PG_OPTIONS[@]}"}; do
            printf "%s = '%s'\n" "${option%%=*}" "${option#*=}"
        done
    } | pg_as_owner tee -a "$PG_DATA/postgresql.conf" >/dev/null
    if [[ $PG_AUTH == md5 ]]; then
        # initdb stored the password under its own default.
        pg_as_owner "$PG_BIN/postgres" --single -D "$PG_DATA" postgres >>"$PG_DIR/initdb.log" 2>&1 \
            <<<"ALTER ROLE $PG_SUPERUSER PASSWORD '$PG_PASSWORD'"
    fi
}

# pg_boot: start (again) on PG_PORT, and wait for it.
pg_boot() {
    pg_as_owner "$PG_BIN/pg_ctl" --pgdata="$PG_DATA" --log="$PG_LOG" --wait --timeout=30 --silent \
        -o "-p $PG_PORT" start >/dev/null 2>&1
}

pg_start() {
    local name=${1:-main} attempt want=${PG_WANT_PORT:-0}
    pg_find || return 1
    PG_OWNER=$(id -un)
    if [[ $(id -u) == 0 ]]; then
        PG_OWNER=nobody
        id postgres >/dev/null 2>&1 && PG_OWNER=postgres
    fi
    PG_NAME=$name
    PG_DIR=$(mktemp -d "${TMPDIR:-/tmp}/rapidbyte-pg.XXXXXX") || return 1
    PG_DATA=$PG_DIR/data
    PG_SOCKET=$PG_DIR
    PG_LOG=$PG_DIR/log
    PG_USER=$PG_SUPERUSER
    PG_PORT=0
    pg_keep
    pg_stop_at_exit
    [[ $(id -u) != 0 ]] || chown "$PG_OWNER" "$PG_DIR" || return 1
    pg_make_cluster || return 1
    for ((attempt = 0; attempt < PG_START_ATTEMPTS; attempt++)); do
        PG_PORT=$(pg_free_port "$want") || return 1
        want=0
        pg_keep
        pg_boot && return 0
    done
    cat "$PG_LOG" >&2
    return 1
}

# pg_follow <name> <socket> <port>: a standby of the server that listens there, which becomes the current one.
pg_follow() {
    PG_NAME=$1
    PG_DIR=$(mktemp -d "${TMPDIR:-/tmp}/rapidbyte-pg.XXXXXX") || return 1
    PG_DATA=$PG_DIR/data PG_SOCKET=$PG_DIR PG_LOG=$PG_DIR/log
    [[ $(id -u) != 0 ]] || chown "$PG_OWNER" "$PG_DIR" || return 1
    PG_PORT=$(pg_free_port) || return 1
    pg_keep
    pg_as_owner "$PG_BIN/pg_basebackup" --host="$2" --port="$3" --username="$PG_SUPERUSER" --pgdata="$PG_DATA" \
        --checkpoint=fast --write-recovery-conf --no-sync >"$PG_DIR/basebackup.log" 2>&1 || {
        cat "$PG_DIR/basebackup.log" >&2
        return 1
    }
    printf "unix_socket_directories = '%s'\n" "$PG_SOCKET" | pg_as_owner tee -a "$PG_DATA/postgresql.conf" >/dev/null
    pg_boot || {
        cat "$PG_LOG" >&2
        return 1
    }
}

# Remember the current server's variables under its name.
pg_keep() {
    PG_SERVERS[$PG_NAME]=$(declare -p PG_NAME PG_BIN PG_OWNER PG_DIR PG_DATA PG_SOCKET PG_LOG PG_USER \
        PG_PORT | sed 's/^declare [-a-z]* /declare -g /')
}

# pg_use <name>
pg_use() {
    eval "${PG_SERVERS[$1]}"
}

# pg_sql <SQL>, or SQL on standard input; PG_DATABASE (postgres) says where.
pg_sql() {
    local input=()
    (($#)) && input=(-c "$1")
    "$PG_BIN/psql" --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 \
        --host="$PG_SOCKET" --port="$PG_PORT" --username="$PG_SUPERUSER" \
        --dbname="${PG_DATABASE:-postgres}" "${input[@]}"
}

# pg_hba <line>…: put lines first in pg_hba.conf and reload.
pg_hba() {
    local old
    old=$(<"$PG_DATA/pg_hba.conf")
    printf '%s\n' "$@" "$old" >"$PG_DATA/pg_hba.conf"
    pg_sql 'SELECT pg_reload_conf()' >/dev/null
}

# pg_stop [immediate|fast]: stop the current server and remove its folder.
pg_stop() {
    [[ -n ${PG_DIR:-} && -d $PG_DIR ]] || return 0
    pg_halt "${1:-immediate}"
    rm -rf "$PG_DIR"
    unset "PG_SERVERS[$PG_NAME]"
}

# pg_halt [immediate|fast]: stop it, keep its data; pg_boot starts it again.
pg_halt() {
    [[ -e $PG_DATA/postmaster.pid ]] || return 0
    pg_as_owner "$PG_BIN/pg_ctl" --pgdata="$PG_DATA" --mode="${1:-immediate}" --wait --silent stop \
        >/dev/null 2>&1
}

pg_stop_all() {
    local name
    for name in "${!PG_SERVERS[@]}"; do
        pg_use "$name"
        pg_stop immediate
    done
}

# Tests have tap.sh's exit hooks; anything else gets traps of its own.
pg_stop_at_exit() {
    [[ -z ${PG_TRAPPED:-} ]] || return 0
    PG_TRAPPED=1
    if declare -F at_exit >/dev/null; then
        at_exit pg_stop_all
    else
        trap pg_stop_all EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM HUP
    fi
}

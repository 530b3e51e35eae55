#!/bin/bash
# One password, given in every way that there is, and searched for wherever anything is written,
# shown or kept while and after it is used: as it is, in hexadecimal and in base64.
# shellcheck disable=SC2317,SC2329 # functions that wait_until is given
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
. "$ROOT/tests/lib/faults.sh"
for name in $(compgen -e PG | grep -Ev '^PG_(BIN|DST_BIN)$'); do
    unset "$name"
done
ulimit -c unlimited || diag "this shell has no cores to forbid"
PG_AUTH=scram-sha-256 pg_start main || bail "no PostgreSQL"
databases
canary=zCanary$(od -An -N8 -tx8 /dev/urandom | tr -d ' ')
src_sql "CREATE ROLE keeper LOGIN SUPERUSER PASSWORD '$canary'; CREATE ROLE other LOGIN SUPERUSER PASSWORD 'another';
    CREATE TABLE t AS SELECT i AS id, 'row ' || i AS name FROM generate_series(1, 1000) AS i; ALTER TABLE t ADD PRIMARY KEY (id)"
pg_sql "ALTER SYSTEM SET log_statement = 'all'"
pg_sql 'SELECT pg_reload_conf()' >/dev/null
export RAPIDBYTE_CACHE_DIR=${RAPIDBYTE_CACHE_DIR:-$HOME/.cache/rapidbyte/aot}
export HOME=$TAP_DIR/home TMPDIR=$TAP_DIR/tmp
mkdir "$HOME" "$TMPDIR" "$TAP_DIR/given" "$TAP_DIR/seen"

# What is given to it, and the only places where the password may be.
given=$TAP_DIR/given
p=$given/p.yaml
printf '%s\n' "$canary" >"$given/password"
printf 'postgresql://keeper:%s@127.0.0.1:%s/src\n' "$canary" "$PG_PORT" >"$given/url"
printf '127.0.0.1:%s:*:keeper:%s\n' "$PG_PORT" "$canary" >"$given/pgpass"
printf '[canary]\nhost=127.0.0.1\nport=%s\nuser=keeper\npassword=%s\ndbname=src\n' "$PG_PORT" "$canary" >"$HOME/.pg_service.conf"
cp "$given/pgpass" "$HOME/.pgpass"
chmod 600 "$given/pgpass" "$HOME/.pgpass"
python3 - "$canary" >"$given/patterns" <<'PYTHON'
import base64, sys
canary = sys.argv[1].encode()
print(canary.decode(), canary.hex(), canary.hex().upper(), canary[::-1].decode(), sep="\n")
for n in range(3):  # by its place among the bytes around it, which change the characters at its ends
    print(base64.b64encode(b"\0" * n + canary)[4:-4].decode())
PYTHON

N_PLACES=0 N_BYTES=0
# clean <name> <file>…: the password is in none of the files; what is empty or can't be read shows nothing.
clean() {
    local name=$1 file hits='' bytes=0 size
    shift
    for file in "$@"; do
        size=$(wc -c <"$file") || hits+=" $file: unreadable"
        bytes=$((bytes + ${size:-0}))
        ! grep -aqF -f "$given/patterns" "$file" || hits+=" $file"
    done
    N_PLACES=$((N_PLACES + $#)) N_BYTES=$((N_BYTES + bytes))
    ((bytes)) || hits+=" (nothing to search)"
    is "$hits" "" "$name"
}
# seen <name> <command words>: what a command writes is searched.
seen() {
    local name=$1
    shift
    "$@" >"$TAP_DIR/seen/output" 2>&1
    clean "$name" "$TAP_DIR/seen/output"
}
# It would be found, in each form.
finds() { grep -aqF -f "$given/patterns"; }
ok "the search finds it" finds <"$given/url"
ok "the search finds it in hexadecimal" finds < <(od -An -tx1 -v "$given/url" | tr -d ' \n')
ok "the search finds it in base64" finds < <(base64 -w 0 "$given/url")

# document <source's config> [<stream>]
document() {
    cat >"$p" <<YAML
version: "1.0"
pipeline: canary
source:
  use: source-postgres
  config: { $1, schema: public }
  streams: [ ${2:-t} ]
destination:
  use: dest-postgres
  config: { host: 127.0.0.1, port: $PG_PORT, user: keeper, password: { file: password }, database: dst, schema: raw, load_method: copy }
  write_mode: replace
state: { connection: $TAP_DIR/state.db }
YAML
}
server="host: 127.0.0.1, port: $PG_PORT, user: keeper, database: src"
output=$TAP_DIR/seen

# commands <way> <exit code> <command words>…: whatever connects, in both formats, at the level that says most.
commands() {
    local way=$1 code=$2
    shift 2
    run_is "$code" "$way: run" "$@" "$RAPIDBYTE" run "$p" --log-level trace
    cp "$TAP_STDOUT" "$output/out" && cp "$TAP_STDERR" "$output/err"
    run_is "$code" "$way: run, in JSON" "$@" "$RAPIDBYTE" run "$p" --log-level trace --log-format json --output json
    cp "$TAP_STDOUT" "$output/out.json" && cp "$TAP_STDERR" "$output/err.json"
    for command in check discover verify; do
        run "$@" "$RAPIDBYTE" "$command" "$p" --log-level trace
        cat "$TAP_STDOUT" "$TAP_STDERR" >"$output/$command"
        run "$@" "$RAPIDBYTE" "$command" "$p" --log-level debug --log-format json --output json
        cat "$TAP_STDOUT" "$TAP_STDERR" >"$output/$command.json"
    done
    clean "$way: what it writes" "$output"/*
    rm -f "$output"/*
}
ways=(
    "in the document;$server, password: $canary"
    "a variable;$server, password: \"\${GIVEN}\";GIVEN=$canary"
    "PGPASSWORD;$server;PGPASSWORD=$canary"
    "a file;$server, password: { file: password }"
    "a command;$server, password: { command: [cat, password] }"
    "a password file;$server"
    "PGPASSFILE;$server;PGPASSFILE=$given/pgpass"
    "a URL;url: \"postgresql://keeper:$canary@127.0.0.1:$PG_PORT/src\""
    "a service;service: canary"
    "a URL in a file;url: { file: url }"
)
for way in "${ways[@]}"; do
    IFS=';' read -r name config variable <<<"$way"
    document "$config"
    run_is 0 "$name: run" env ${variable:+"$variable"} "$RAPIDBYTE" run "$p" --log-level trace
    clean "$name: what it writes" "$TAP_STDOUT" "$TAP_STDERR"
    same t "$name: it is the password"
done

document "url: \"postgresql://keeper:$canary@127.0.0.1:$PG_PORT/src\""
commands "every command" 0 env

# A wrong one is a password, too: of another user, of another server.
wrong="host: 127.0.0.1, port: $PG_PORT, user: other, database: src"
document "$wrong, password: { file: password }"
commands "a wrong password" 3 env
like "$stdout$stderr" "password authentication failed" "a wrong password: the server's word"

# Documents with mistakes near it, and ones that can't be read at all.
n=0
while IFS= read -r line; do
    document "$line"
    run "$RAPIDBYTE" run "$p" --log-level trace
    is "$status" 2 "a mistake: exit code" || diag "$line: $stderr"
    cat "$TAP_STDOUT" "$TAP_STDERR" >"$output/mistake.$n"
    n=$((n + 1))
done <<MISTAKES
$server, password: [$canary]
$server, password: { $canary: x }
$server, password: { file: password, timeout: 1s }
$server, password: { command: [cat, password, missing] }
$server, password: "$canary
$server, password: $canary }}
$server, password: $canary, password: $canary
$server, password: "$canary\\q"
url: "postgresql://keeper:$canary@127.0.0.1:9x/src"
url: "postgresql://keeper:$canary%4@127.0.0.1/src"
url: "postgresql://keeper:$canary@a,b/src"
url: "postgres//keeper:$canary@h/src"
url: "postgresql://keeper:$canary@127.0.0.1/src", password: another, user: u
service: canary, sslmode: nonsense
$server, password: *$canary
MISTAKES
document "$server, password: { file: \"\${GIVEN}\" }"
run_is 2 "a password in the place of its file" env GIVEN="$canary" "$RAPIDBYTE" run "$p" --log-level trace
like "$stderr" "password: the file can't be read: No such file" "a password in the place of its file: is said"
cat "$TAP_STDOUT" "$TAP_STDERR" >"$output/mistake.file"
clean "mistakes in the document" "$output"/mistake.*
rm -f "$output"/*

# Looked at while it runs: by way of a file, so that no variable of ours has it.
src_sql "CREATE VIEW slow AS SELECT 1 AS id, 'canary_marker' AS name FROM pg_sleep(60)"
document "$server, password: { file: password }, application_name: markerOfTheGuest" slow
export RAPIDBYTE_CACHE_DIR=$TAP_DIR/aot
launch "$RAPIDBYTE" run "$p" --log-level trace
# Everything of a process that others may read; the compiler's as long as there is one.
snapshot() {
    local pid=$1 file
    for file in cmdline environ comm status stat limits maps wchan; do
        cat "/proc/$pid/$file" >"$output/$2.$file" || return
    done
}
saw_compiler=0
while ! PG_DATABASE=src pg_sql "SELECT 1 / count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'" >/dev/null 2>&1; do
    for child in $(<"/proc/$RUN_PID/task/$RUN_PID/children"); do
        if grep -qz '^compile$' "/proc/$child/cmdline" && snapshot "$child" compiler; then
            saw_compiler=1
        fi
    done 2>/dev/null
    is_gone "$RUN_PID" && break
done
is "$saw_compiler" 1 "the compiler is seen at work"
worker=$(worker_of "$RUN_PID")
ok "the supervisor is looked at" snapshot "$RUN_PID" supervisor
ok "the worker is looked at" snapshot "$worker" worker
cat "/proc/$RUN_PID/task"/*/comm >"$output/supervisor.threads"
cat "/proc/$worker/task"/*/comm >"$output/worker.threads"
rm -f "$output"/*.wchan
clean "command lines, environments and what else /proc shows of supervisor, worker and compiler" "$output"/*
for process in supervisor worker; do
    like "$(<"$output/$process.limits")" '^Max core file size +0 +0 ' "no core of the $process"
done
rm -f "$output"/*
clean "the state while it is written" "$TAP_DIR"/state.db*
ok "the state has a log ahead of it" test -s "$TAP_DIR/state.db-wal"
# The guests' memories: what can be written, in front of the addresses that WasmEdge sets aside. And
# what the two processes share.
guests() {
    python3 - "$worker" "$output" <<'PYTHON'
import sys
pid, out = sys.argv[1:]
maps = [line.split() for line in open(f"/proc/{pid}/maps")]
spans = [tuple(int(x, 16) for x in m[0].split("-")) + (m[1],) for m in maps]
with open(f"/proc/{pid}/mem", "rb", 0) as mem:
    for n, ((start, end, mode), (next_start, next_end, next_mode)) in enumerate(zip(spans, spans[1:])):
        is_guest = mode == "rw-p" and next_mode == "---p" and end == next_start and next_end - next_start > 1 << 30
        if not is_guest and mode != "rw-s":
            continue
        mem.seek(start)
        with open(f"{out}/{'guest' if is_guest else 'shared'}.{n}", "wb") as file:
            while start < end:
                data = mem.read(min(end - start, 1 << 20))
                file.write(data)
                start += len(data)
PYTHON
}
if [[ $(id -u) == 0 ]]; then
    ok "the guests' memories can be read" guests
    ok "the guests' memories are the guests'" grep -aq markerOfTheGuest "$output"/guest.*
    clean "the guests' memories" "$output"/guest.*
    clean "what supervisor and worker share" "$output"/shared.*
    rm -f "$output"/*
else
    skip "only root reads the memory of the worker" 4
fi
interrupt INT
is "$status" 130 "the run ends"
cp "$TAP_STDOUT" "$output/out" && cp "$TAP_STDERR" "$output/err"
clean "a run that is cancelled" "$output"/err
rm -f "$output"/*

# A guest that logs what it gets, and looks for it in all of its memory.
cat >"$p" <<YAML
version: "1.0"
pipeline: secret
source:
  use: secret-source
  config: { password: { file: password }, mirror: $(rev <<<"$canary"), marker: markerOfTheGuest }
  streams: [plain]
destination: { use: plain-dest, config: {} }
state: { connection: $TAP_DIR/state.db }
YAML
export RAPIDBYTE_CONNECTOR_DIR=$BUILD/connectors:$BUILD/test-connectors
run_is 0 "a guest that looks for it" "$RAPIDBYTE" run "$p" --log-level trace
like "$stderr" 'opened: the password 0 times, the marker found, in [1-9][0-9]+ bytes' "a guest has no password when it is opened"
like "$stderr" 'read: the password 0 times, the marker found, in [1-9][0-9]+ bytes' "a guest has no password while it reads"
like "$stderr" '"password":\{"\$secret":1\}' "a guest has a reference"
sed "s/$(rev <<<"$canary")//" "$TAP_STDERR" >"$output/err"
clean "what a guest can log" "$output/err"
rm -f "$output"/*
sed -i 's/  streams: /  permissions: { secrets: plaintext }\n&/' "$p"
run "$RAPIDBYTE" run "$p" --log-level trace
like "$stderr" 'read: the password [1-9][0-9]* times' "a guest would find it, had it been granted"

# What is left of all this.
seen "history" "$RAPIDBYTE" history --state "$TAP_DIR/state.db"
seen "history, in JSON" "$RAPIDBYTE" history --state "$TAP_DIR/state.db" --output json
for ((i = 1; i <= $(state_sql "$TAP_DIR/state.db" "SELECT max(id) FROM runs"); i++)); do
    "$RAPIDBYTE" history show "$i" --state "$TAP_DIR/state.db" >"$output/run.$i"
    "$RAPIDBYTE" history show "$i" --state "$TAP_DIR/state.db" --output json >"$output/run.$i.json"
done
clean "history show, of every run" "$output"/run.*
rm -f "$output"/*
document "$server, password: { file: password }"
seen "state show" "$RAPIDBYTE" state show "$p"
seen "state export" "$RAPIDBYTE" state export "$p"
clean "the state" "$TAP_DIR"/state.db*
clean "the AOT cache" "$RAPIDBYTE_CACHE_DIR"/*
clean "the server's log" "$PG_LOG"
seen "the destination, with its ledger" env PGPASSWORD="$canary" "$PG_BIN/pg_dump" -h 127.0.0.1 -p "$PG_PORT" -U keeper dst
seen "the source" env PGPASSWORD="$canary" "$PG_BIN/pg_dump" -h 127.0.0.1 -p "$PG_PORT" -U keeper src
# Every file that there is, but those that were given, and what the script itself wrote.
rm -f "$output"/* "$HOME/.pgpass" "$HOME/.pg_service.conf" "$TAP_STDOUT" "$TAP_STDERR"
rm -rf "$given/p.yaml"
mapfile -t files < <(find "$TAP_DIR" -type f -not -path "$given/*" -size +0)
clean "everything that was left in a file" "${files[@]}"
is "$(find "$TMPDIR" -type f | wc -l)" 0 "no temporary file is left"
diag "$N_PLACES places, $N_BYTES bytes searched for the password"
done_testing

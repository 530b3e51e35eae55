#!/bin/bash
# The compiler reads what is foreign: it has a limit of memory and of CPU, and does not stand still for ever.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pg_start main || bail "no PostgreSQL"
databases
src_sql 'CREATE TABLE t (id int); INSERT INTO t VALUES (1)'
p=$TAP_DIR/p.yaml
export RAPIDBYTE_CACHE_DIR=$TAP_DIR/cache

# limited <resources> <command>
limited() {
    rm -rf "$RAPIDBYTE_CACHE_DIR"
    STREAMS='- t' write_mode=replace EXTRA="resources: { $1 }" pipeline "$p"
    run_is 6 "$1: $2" "$RAPIDBYTE" "$2" "$p"
}
for command in run check; do
    limited 'compile_memory: 64mb' "$command"
    like "$stdout$stderr" 'more than 64 MiB \(compile_memory\)|had 64 MiB of memory' "too little memory, $command: said"
    like "$stdout$stderr" 'hint: .*resources.compile_memory' "too little memory, $command: what to do"
    limited 'compile_cpu: 1s' "$command"
    like "$stdout$stderr" 'takes more than [0-9]+ s of CPU \(compile_cpu\)' "too little CPU, $command: said"
done
is "$(dst_sql "SELECT to_regclass('raw.t')")" "" "nothing is written"
is "$(find "$RAPIDBYTE_CACHE_DIR" -name '*.so' ! -name 'new-*' | wc -l)" 0 "nothing is in the cache"

# By hand, of a module of many functions.
python3 - "$TAP_DIR/large.wasm" <<'PY'
import sys
def leb(n):
    out = b""
    while n > 0x7F:
        out, n = out + bytes([n & 0x7F | 0x80]), n >> 7
    return out + bytes([n])
def section(number, items):
    data = leb(len(items)) + b"".join(items)
    return bytes([number]) + leb(len(data)) + data
# (param i32) (result i32), with one local: adds, and keeps the sum where it is not 0.
step = bytes.fromhex("20002001 6a 2101 2001 04 40 2001 2100 0b")
body = b"\x01\x01\x7f" + step * 12 + bytes.fromhex("20010b")
n = 6000
with open(sys.argv[1], "wb") as out:
    out.write(b"\0asm\1\0\0\0" + section(1, [bytes.fromhex("60017f017f")]) + section(3, [b"\0"] * n)
              + section(10, [leb(len(body)) + body] * n))
PY
run_is 6 "compile --memory" "$RAPIDBYTE" compile --memory 128mb "$TAP_DIR/large.wasm"
like "$stderr" "to compile '.*large.wasm' takes more than 128 MiB \(compile_memory\)" "compile --memory: said"
run_is 0 "compile, with the default" "$RAPIDBYTE" compile "$TAP_DIR/large.wasm"
run_is 2 "compile --cpu without a unit of time" "$RAPIDBYTE" compile --cpu much source-postgres

# One that stands still is not waited for.
stop_compiler() {
    local i pid
    for ((i = 0; i < 200; i++)); do
        pid=$(pgrep -f -- "compile --aot-dir $RAPIDBYTE_CACHE_DIR") && kill -STOP "$pid" && return
        sleep 0.05
    done
}
stop_compiler &
limited 'compile_cpu: 1s' run
wait $!
like "$stderr" 'the compiler took longer than 14 s' "it stands still: said"
not_ok "it stands still: ended" pgrep -f -- "compile --aot-dir $RAPIDBYTE_CACHE_DIR"
done_testing

#!/bin/bash
# Connectors of tests/hostile, each of which tries one thing: the right error, exit code and time,
# nothing visible at the destination, and a supervisor that goes on. The sanitizer build runs it, too.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pg_start main || bail "no PostgreSQL"
databases
export RAPIDBYTE_CONNECTOR_DIR=$BUILD/hostile:$BUILD/connectors:$BUILD/test-connectors
export ASAN_OPTIONS=detect_leaks=0:handle_segv=0:allow_user_segv_handler=1
p=$TAP_DIR/p.yaml
SECONDS_EACH=${HOSTILE_SECONDS:-15}

# document <source> <further lines>
document() {
    local config="{}"
    [[ ! -e $BUILD/hostile/${1//-/_}.wasm ]] || config="{ port: $PG_PORT }"
    cat >"$p" <<YAML
version: "1.0"
pipeline: hostile
source:
  use: $1
  config: $config
  streams: [plain]
destination:
  use: dest-postgres
  config: { host: 127.0.0.1, port: $PG_PORT, user: postgres, password: postgres, database: dst, schema: raw, load_method: copy }
  write_mode: replace
state: { connection: ./$1.db }
$2
YAML
}

RUN_TIMEOUT_S=300 run_is 0 "all of them compile" "$RAPIDBYTE" compile --connectors "$BUILD/hostile:$BUILD/connectors"

# Name, exit code, what is said, further lines of the document.
while IFS='|' read -r name code says extra; do
    [[ -n $name ]] || continue
    document "$name" "$extra"
    start=$SECONDS
    run_is "$code" "$name: exit code" "$RAPIDBYTE" run "$p"
    cmp_ok "$((SECONDS - start))" -le "$SECONDS_EACH" "$name: in time"
    like "$stderr" "$says" "$name: what is said"
    unlike "$stderr" 'let through|Sanitizer|runtime error' "$name: nothing is let through"
    unlike "$stdout$stderr" $'[\x1b\x07\x08]' "$name: the terminal is not steered"
    cmp_ok "${#stderr}" -lt 100000 "$name: nor flooded"
    if [[ $code != 0 ]]; then
        is "$(dst_sql "SELECT to_regclass('raw.plain') IS NULL")" t "$name: nothing is visible"
    fi
done <<'TABLE'
huge-lengths|3|held|
forbidden-hosts|3|held|
foreign-sockets|3|held|
many-sockets|3|held|resources: { max_sockets: 2 }
broken-batches|3|held|
late-trap|6|connector 'late-trap' trapped in rb_run_read|
log-flood|3|more than 100 lines of log messages; the rest is dropped|resources: { max_log_lines: 100 }
log-flood|3|more than 4096 bytes of log messages; the rest is dropped|resources: { max_log_bytes: 4kb }
long-error|3|long|
metric-flood|3|held|resources: { max_metric_names: 100 }
state-flood|3|held|resources: { max_state_keys: 1000 }
state-bytes|3|held|resources: { max_state_bytes: 1mb }
wasi-abuse|3|held|
sleeper|130|timeouts.run|timeouts: { run: 1s }
sleeper|6|connector '[a-z-]+' took more than 0.5 s in rb_run_[a-z]+ \(max_call\)|resources: { max_call: 500ms }
spinner|6|connector 'spinner' took more than 0.5 s of CPU in rb_run_read \(max_cpu\)|resources: { max_cpu: 500ms }
spinner|130|timeouts.run|timeouts: { run: 1s }
start-spinner|6|connector 'start-spinner' took more than 0.5 s of CPU in rb_open \(max_cpu\)|resources: { max_cpu: 500ms }
result-outside|6|broke the contract: rb_run_read gave a result outside its memory|
result-huge|6|rb_run_read gave a result of 2147483647 bytes|
result-garbage|6|rb_run_read|
false-count|6|rows|
hog|3|refused after [0-9]+ pages|resources: { max_memory: 64mb }
recurse|6|connector 'recurse'|
deep|3|held|
deep|6|connector 'deep'( or 'dest-postgres')? crashed: its process was killed by signal 11|resources: { max_stack: 1mb }
bad-import|6|rb_host_format_disk|
TABLE

# What was emitted is what arrives, whatever became of the guest's memory.
document changed-batch ''
run_is 0 "changed-batch: exit code" "$RAPIDBYTE" run "$p"
is "$(dst_sql "SELECT count(*), count(*) FILTER (WHERE n = 1 AND s = 'one'), count(*) FILTER (WHERE n = 2 AND s IS NULL), count(*) FILTER (WHERE n = 3 AND s = 'three') FROM raw.plain")" \
    "600|200|200|200" "changed-batch: every row as it was emitted"

# The smaller limit wins: the manifest's, though the document lets it have more.
mkdir "$TAP_DIR/narrow"
python3 - "$BUILD/hostile/many_sockets.wasm" "$TAP_DIR/narrow" <<'PY'
import json, shutil, sys
shutil.copy(sys.argv[1], sys.argv[2] + "/many_sockets.wasm")
json.dump({"manifest_version": "1.0", "id": "many-sockets", "name": "n", "version": "1", "protocol_version": "1",
           "permissions": {"network": {"allowed_domains": ["127.0.0.1"], "tls": "forbidden"}},
           "limits": {"max_sockets": 2, "max_cpu": "1m", "max_log_bytes": "1mb"},
           "roles": {"source": {"supported_sync_modes": ["full_refresh"]}},
           "config_schema": {"properties": {"port": {"type": "integer"}}}},
          open(sys.argv[2] + "/many_sockets.manifest.json", "w"))
PY
document many-sockets 'resources: { max_sockets: 16 }'
RAPIDBYTE_CONNECTOR_DIR=$TAP_DIR/narrow:$RAPIDBYTE_CONNECTOR_DIR run_is 3 "the manifest's limit: exit code" "$RAPIDBYTE" run "$p"
like "$stderr" "held" "the manifest's limit, where it is the smaller one"

done_testing

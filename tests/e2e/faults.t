#!/bin/bash
# A sample of the faults that `make faults` sweeps: one at each point. And that the product has no such points.
. "$(dirname "$0")/../lib/tap.sh"
# The server's user must reach it.
chmod 755 "$TAP_DIR"
export TMPDIR=$TAP_DIR

# traces <file>: words that only fault points bring along.
traces() {
    strings -a "$1" | grep -cE 'rb_fault_(reach|answer)|rb_host_fault|RAPIDBYTE_FAULT|FAULT_INJECTED|DEST_COMMIT_SENT'
}
for file in rapidbyte connectors/source_postgres.wasm connectors/dest_postgres.wasm; do
    cmp_ok "$(traces "$BUILD/faults/$file")" -gt 0 "the test variant's $file has fault points"
    is "$(traces "$BUILD/$file")" 0 "the product's $file has none"
done
is "$(nm "$BUILD/rapidbyte" | grep -cE 'rb_fault_(reach|answer|set_peer)')" 0 "the product has no symbol of them"

RUN_TIMEOUT_S=400 run_is 0 "a fault at each point" tools/faults --sample
like "$stdout" ' 0 failed$' "every one is exact after it"
diag "$(tail -n 1 <<<"$stdout")"
done_testing

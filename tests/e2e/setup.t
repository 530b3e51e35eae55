#!/bin/bash
# ./setup with nothing to do: quick, silent and without a network. And what is installed finds its parts.
. "$(dirname "$0")/../lib/tap.sh"

[[ $(id -u) == 0 ]] && offline=(unshare --net)
start=$(date +%s%N)
run_is 0 "setup: nothing to do, no network" "${offline[@]}" ./setup
elapsed_ms=$((($(date +%s%N) - start) / 1000000))
cmp_ok "$elapsed_ms" -lt 2000 "setup: under two seconds ($elapsed_ms ms)"
is "$stdout$stderr" "setup: everything is there" "setup: says so, in a line"

RUN_TIMEOUT_S=300 run_is 0 "make install" make install DESTDIR="$TAP_DIR/root" PREFIX=/usr
installed=$TAP_DIR/root/usr/bin/rapidbyte
run_is 0 "installed: version" "$installed" version
run_is 0 "installed: connectors" env -u RAPIDBYTE_CONNECTOR_DIR "$installed" connectors
like "$stdout" "source-postgres .*$TAP_DIR/root/usr/.*lib/rapidbyte/connectors/source_postgres.wasm" "installed: finds its connectors"
run_is 0 "installed: compiles" "$installed" compile --aot-dir "$TAP_DIR/aot" transform-mask
done_testing

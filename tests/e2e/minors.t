#!/bin/bash
# Minor releases differ in their catalogue, too: what reads and replays it is tested with an old and a
# new one beside the server that all tests use (./setup --minors).
. "$(dirname "$0")/../lib/tap.sh"

TESTS='replace indexes follow'

mapfile -t minors < <(./setup --minors)
((${#minors[@]} > 0)) || bail "./setup has fetched no other minor release of PostgreSQL"
# root's servers run as another user, who has to reach them.
chmod 755 "$TAP_DIR"
for bin in "${minors[@]}"; do
    name=$(basename "$(dirname "$bin")")
    [[ -x $bin/postgres ]] || {
        ok "$name is there (./setup fetches it)" false
        continue
    }
    cp -a "$(dirname "$bin")" "$TAP_DIR/$name"
    for test in $TESTS; do
        PG_BIN=$TAP_DIR/$name/bin timeout 300 "tests/e2e/$test.t" >"$TAP_DIR/log" 2>&1
        is "$?" 0 "$test.t with PostgreSQL ${name#minor-}" || diag "$(grep -A 12 '^not ok\|^Bail' "$TAP_DIR/log" | head -n 60)"
    done
    rm -rf "${TAP_DIR:?}/$name"
done
done_testing

#!/bin/bash
# Connectors that are not the PostgreSQL ones: the SDK's examples, and modules built with nothing but
# the protocol in hand, also as other toolchains build them.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pg_start main || bail "no PostgreSQL"
databases
export RAPIDBYTE_CONNECTOR_DIR=$BUILD/connectors:$BUILD/test-connectors
p=$TAP_DIR/p.yaml
source_postgres="use: source-postgres
  config: { host: 127.0.0.1, port: $PG_PORT, user: postgres, password: postgres, database: src, schema: public }"
dest_postgres="use: dest-postgres
  config: { host: 127.0.0.1, port: $PG_PORT, user: postgres, password: postgres, database: dst, schema: raw, load_method: copy }"

# document <source> <stream> <destination> [<further lines>]
document() {
    cat >"$p" <<YAML
version: "1.0"
pipeline: connectors
source:
  $1
  streams: [$2]
destination:
  $3
  write_mode: append
state: { backend: sqlite, connection: ./state.db }
${4:-}
YAML
}

# rows <stream>: records_written in the JSON report of the last run.
rows() {
    python3 -c 'import json, sys
print([s["records_written"] for s in json.load(sys.stdin)["streams"] if s["name"] == sys.argv[1]][0])' "$1" <<<"$stdout"
}

# state <key>: a value of the pipeline's connectors in the state.
state() {
    python3 - "$TAP_DIR/state.db" "$1" <<'PY'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
for table, in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
    columns = [c[1] for c in db.execute(f"PRAGMA table_info({table})")]
    if "key" in columns and "value" in columns:
        for value, in db.execute(f"SELECT value FROM {table} WHERE key = ?", (sys.argv[2],)):
            print(value.decode() if isinstance(value, bytes) else value)
PY
}

# The smallest source and the smallest destination.
document 'use: source-numbers
  config: { rows: 300000 }' numbers 'use: dest-count'
run_is 0 "numbers: run" "$RAPIDBYTE" run "$p" --output json
is "$(rows numbers)" 300000 "numbers: every row is counted"
is "$(state rows)" 300000 "numbers: the sum is in the state"
run_is 0 "numbers: run again" "$RAPIDBYTE" run "$p"
is "$(state rows)" 600000 "numbers: the state outlives a run"
run_is 0 "numbers: check" "$RAPIDBYTE" check "$p"
like "$stdout" 'delivery: at least once' "numbers: check says that it delivers at least once"
run_is 0 "numbers: discover" "$RAPIDBYTE" discover "$p"
like "$stdout" 'numbers' "numbers: discover lists the stream"
document 'use: source-numbers
  config: { rows: -1 }' numbers 'use: dest-count'
run_is 2 "numbers: a negative count is a mistake of the document" "$RAPIDBYTE" run "$p"

# The transform, between real tables.
src_sql "CREATE TABLE people (id integer PRIMARY KEY, email varchar(20), phone text, raw bytea, note text, n numeric(10,2), at timestamptz);
    INSERT INTO people SELECT i, CASE WHEN i % 3 > 0 THEN 'p' || i % 50 || '@b.example' END, '+49' || i, decode(lpad(to_hex(i), 8, '0'), 'hex'),
        CASE WHEN i % 7 > 0 THEN 'note ' || i END, i / 7.0, now() - i * interval '1 min' FROM generate_series(1, 5000) AS i"
key=000102030405060708090a0b0c0d0e0f
# mask <key> <destination table>
mask() {
    document "$source_postgres" "{ name: people, destination_table: $2 }" "$dest_postgres" "transforms:
  - { use: transform-mask, config: { columns: [email, raw], method: hash, key: \"$1\" } }
  - { use: transform-mask, config: { columns: [phone, n] } }"
}
mask $key masked
run_is 0 "mask: run" "$RAPIDBYTE" run "$p" --output json
is "$(rows people)" 5000 "mask: every row arrives"
is "$(dst_sql "SELECT count(*), count(email), count(raw), count(phone), count(n), count(DISTINCT email), count(DISTINCT raw) FROM raw.masked")" \
    "$(src_sql "SELECT count(*), count(email), count(raw), 0, 0, count(DISTINCT email), count(DISTINCT raw) FROM people")" "mask: NULLs stay, equal values stay equal, the emptied columns are empty"
is "$(dst_sql "SELECT bool_and(email ~ '^[0-9a-f]{16}\$'), bool_and(raw ~ '^[0-9a-f]{16}\$') FROM raw.masked")" "t|t" "mask: what arrives is a hash"
siphash=$(python3 - $key 'p1@b.example' <<'PY'
import sys
M = (1 << 64) - 1
def rotl(x, b): return (x << b | x >> 64 - b) & M
def sip(key, data):
    k0, k1 = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    v = [k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573]
    def rounds(n):
        for _ in range(n):
            v[0] = v[0] + v[1] & M; v[1] = rotl(v[1], 13) ^ v[0]; v[0] = rotl(v[0], 32)
            v[2] = v[2] + v[3] & M; v[3] = rotl(v[3], 16) ^ v[2]
            v[0] = v[0] + v[3] & M; v[3] = rotl(v[3], 21) ^ v[0]
            v[2] = v[2] + v[1] & M; v[1] = rotl(v[1], 17) ^ v[2]; v[2] = rotl(v[2], 32)
    whole = len(data) // 8 * 8
    words = [data[i:i + 8] for i in range(0, whole, 8)]
    words.append(data[whole:].ljust(7, b"\0") + bytes([len(data) & 255]))
    for w in words:
        m = int.from_bytes(w, "little")
        v[3] ^= m; rounds(2); v[0] ^= m
    v[2] ^= 255; rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]
print("%016x" % sip(bytes.fromhex(sys.argv[1]), sys.argv[2].encode()))
PY
)
is "$(dst_sql "SELECT DISTINCT email FROM raw.masked WHERE id % 50 = 1 AND email IS NOT NULL")" "$siphash" "mask: the hash is SipHash-2-4 under the key"
rest="SELECT sum(hashtextextended((id, note, at)::text, 0)), count(note) FROM"
is "$(dst_sql "SET TimeZone = 'UTC'; $rest raw.masked")" "$(src_sql "SET TimeZone = 'UTC'; $rest people")" "mask: the other columns are identical"
mask $key again
run_is 0 "mask: the same key again" "$RAPIDBYTE" run "$p"
is "$(dst_sql "SELECT count(*) FROM raw.masked m JOIN raw.again a USING (id) WHERE m.email IS NOT DISTINCT FROM a.email AND m.raw IS NOT DISTINCT FROM a.raw")" 5000 "mask: the same key gives the same hashes"
mask ${key/0f/10} other
run_is 0 "mask: another key" "$RAPIDBYTE" run "$p"
is "$(dst_sql "SELECT count(*) FROM raw.masked m JOIN raw.other a USING (id) WHERE m.email = a.email OR m.raw = a.raw")" 0 "mask: another key gives others"
sed -i 's/columns: \[email, raw\]/columns: [emial]/' "$p"
run_is 5 "mask: a column that isn't there" "$RAPIDBYTE" run "$p"
like "$stderr" "there is no column 'emial'" "mask: names it"
like "$stderr" 'hint: did you mean "email"\?' "mask: and what was meant"
run "$RAPIDBYTE" check "$p"
like "$stdout$stderr" 'hint: did you mean "email"\?' "mask: check says so, too"

# Modules built with nothing but the protocol in hand.
document 'use: plain-source' plain "$dest_postgres"
run_is 0 "plain source: run" "$RAPIDBYTE" run "$p"
is "$(dst_sql "SELECT count(*), count(DISTINCT n), min(n), max(n), count(s), max(s) FROM raw.plain")" "3000|3|1|3|2000|three" "plain source: its rows are in PostgreSQL"
is "$(dst_sql "SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' not null' ELSE '' END, ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'raw.plain'::regclass AND attnum > 0")" \
    "n bigint not null, s text" "plain source: its columns are PostgreSQL's"
run_is 0 "plain source: check" "$RAPIDBYTE" check "$p"
like "$stdout" 'delivery: at least once' "plain source: check says that it delivers at least once"

src_sql "CREATE TABLE big AS SELECT i AS id, repeat(md5(i::text), 100) AS t FROM generate_series(1, 2000) AS i"
document "$source_postgres" big 'use: plain-dest'
run_is 0 "plain destination: batches larger than its first 64 KiB" "$RAPIDBYTE" run "$p" --output json -v
is "$(rows big)" 2000 "plain destination: every row is counted"
read -r bytes batches <<<"$(sed -n 's/.*"bytes_written":\([0-9]*\),"batches_written":\([0-9]*\).*/\1 \2/p' <<<"$stderr" | head -n 1)"
cmp_ok "$((bytes / batches))" -gt 65536 "plain destination: its buffer had to grow"

document 'use: not-initialize' plain "$dest_postgres" # appends to raw.plain
run_is 0 "a module without _initialize" "$RAPIDBYTE" run "$p"
is "$(dst_sql "SELECT count(*) FROM raw.plain")" 3003 "a module without _initialize: its rows arrive"

# A manifest in a custom section of the module, and no file.
mkdir "$TAP_DIR/section"
python3 - "$BUILD/test-connectors/plain_source.wasm" tests/guests/plain_source.manifest.json "$TAP_DIR/section/own_manifest.wasm" <<'PY'
import json, sys
def leb(n):
    out = b""
    while True:
        out += bytes([n & 127 | (128 if n > 127 else 0)])
        n >>= 7
        if not n:
            return out
manifest = json.load(open(sys.argv[2]))
manifest["id"] = "own-manifest"
manifest["artifact"] = {"entry_point": "own_manifest.wasm"}
name = b"rapidbyte.manifest"
content = leb(len(name)) + name + json.dumps(manifest).encode()
open(sys.argv[3], "wb").write(open(sys.argv[1], "rb").read() + b"\0" + leb(len(content)) + content)
PY
dst_sql "DROP TABLE raw.plain"
document 'use: own-manifest' plain "$dest_postgres"
run_is 0 "a manifest in a custom section" "$RAPIDBYTE" run "$p" --connectors "$BUILD/connectors:$TAP_DIR/section"
is "$(dst_sql "SELECT count(*) FROM raw.plain")" 3000 "a manifest in a custom section: its rows arrive"
run_is 0 "connectors lists it" "$RAPIDBYTE" connectors --connectors "$TAP_DIR/section"
like "$stdout" 'own-manifest' "connectors: by its name"

# As other toolchains build them: WASI's sockets, by permission.
# foreign <address> <permissions>
foreign() {
    document "use: wasi-socket-source
  config: { address: $1, port: $PG_PORT, password: open-sesame }
  permissions: { $2 }" plain "$dest_postgres"
}
dst_sql "DROP TABLE raw.plain"
foreign 127.0.0.1 ''
run_is 6 "WASI sockets without the permission" "$RAPIDBYTE" run "$p"
like "$stderr" 'sock_[a-z]+' "WASI sockets: refused by the import's name"
like "$stderr" 'wasi_sockets: true' "WASI sockets: and how to grant them"
is "$(dst_sql "SELECT to_regclass('raw.plain') IS NULL")" t "WASI sockets: nothing is visible"
foreign 127.0.0.1 'wasi_sockets: true'
run_is 0 "WASI sockets with the permission" "$RAPIDBYTE" run "$p" -v
like "$stderr" 'the server answered N' "WASI sockets: it spoke with the server"
like "$stderr" 'the password was kept' "a password is kept from the connector"
is "$(dst_sql "SELECT count(*) FROM raw.plain")" 3 "WASI sockets: its rows arrive"
run_is 0 "WASI sockets: check" "$RAPIDBYTE" check "$p"
like "$stdout" 'delivery: at least once' "WASI sockets: check says that it delivers at least once"
run_is 0 "WASI sockets: discover" "$RAPIDBYTE" discover "$p"
like "$stdout" 'plain' "discover gives it an OpenContext"
foreign 127.0.0.1 'wasi_sockets: true, secrets: plaintext'
run_is 0 "secrets: plaintext" "$RAPIDBYTE" run "$p" -v
like "$stderr" 'the password was given' "secrets: plaintext gives it the password"
unlike "$stdout$stderr" 'open-sesame' "and nobody else"
foreign 127.0.0.2 'wasi_sockets: true'
run_is 3 "WASI sockets to a host that isn't on the list" "$RAPIDBYTE" run "$p"
like "$stderr" '127.0.0.2:[0-9]+ is not allowed' "a host that isn't on the list is named"
foreign 127.0.0.1 'wasi_sockets: true, hosts: [10.0.0.1]'
run_is 3 "WASI sockets to a host that the pipeline does not allow" "$RAPIDBYTE" run "$p"
like "$stderr" '127.0.0.1:[0-9]+ is not allowed' "permissions.hosts narrows the manifest"
# docs/connectors.md, as a reader would follow it: its commands build a connector, its pipeline runs.
# block <language> <what it holds>: the first such block of the page.
block() {
    python3 -c 'import re, sys
for block in re.findall(r"^```" + sys.argv[1] + r"\n(.*?)^```$", open("docs/connectors.md").read(), re.S | re.M):
    if sys.argv[2] in block:
        sys.exit(print(block))
sys.exit(1)' "$1" "$2"
}
mkdir "$TAP_DIR/own"
block sh stamp-manifest >"$TAP_DIR/own/build.sh"
block yaml my-source >"$TAP_DIR/own/p.yaml"
cd "$TAP_DIR/own" || bail "cd"
run_is 0 "the page's commands build a connector" env "R=$ROOT" bash -e build.sh
like "$stdout" 'my-source' "and list it"
cd "$ROOT" || bail "cd"
run_is 0 "the page's pipeline runs it" "$RAPIDBYTE" run "$TAP_DIR/own/p.yaml" --output json --connectors "$TAP_DIR/own:$BUILD/connectors"
is "$(rows numbers)" 100000 "and moves its rows"
# connectors verify: a copy of one connector, spoiled in one way each. Nothing of it runs, so a loop
# in its start function is none of its business.
mkdir "$TAP_DIR/v" "$TAP_DIR/v-aot"
chmod 700 "$TAP_DIR/v-aot"
verify() { run "$RAPIDBYTE" connectors verify --connectors "$TAP_DIR/v" --aot-dir "$TAP_DIR/v-aot" "$@"; }
# verdict <expression>: of the first connector in the JSON.
verdict() {
    python3 -c 'import json, sys
d = json.loads(sys.argv[1])["connectors"]
print(eval(sys.argv[2]))' "$stdout" "$1"
}
again() { cp "$BUILD"/connectors/dest_count.* "$TAP_DIR/v"; }
again
verify
is "$status" 0 "verify: a good one" || diag "$stderr"
like "$stdout" "^ok  dest-count +[0-9.]+ +.*/v/dest_count.wasm  sha256:$(sha256sum <"$TAP_DIR/v/dest_count.wasm" | cut -c 1-64), not compiled$" "verify: which one"
"$RAPIDBYTE" compile --connectors "$TAP_DIR/v" --aot-dir "$TAP_DIR/v-aot" -q
verify --output json dest-count
is "$(verdict 'd[0]["ok"], d[0]["aot"], d[0]["manifest_names_sha256"], d[0]["error"]')" "(True, 'ready', True, None)" "verify: a good one in JSON"
entry=$(echo "$TAP_DIR"/v-aot/*.so)
printf x | dd of="$entry" bs=1 seek=4096 conv=notrunc status=none
verify --output json "$TAP_DIR/v/dest_count.wasm"
is "$status" 6 "verify: a tampered cache"
is "$(verdict 'd[0]["ok"], d[0]["aot"], d[0]["error"]["code"]')" "(False, 'refused', 'AOT_REFUSED')" "verify: a tampered cache is said"
"$RAPIDBYTE" compile --connectors "$TAP_DIR/v" --aot-dir "$TAP_DIR/v-aot" -q
verify
is "$status" 0 "verify: compiled anew"
chmod 777 "$TAP_DIR/v-aot"
verify
is "$status" 6 "verify: a cache that others may write to"
like "$stderr" "others may write to it" "verify: a cache that others may write to is said"
chmod 700 "$TAP_DIR/v-aot"
printf '\0\1\0' >>"$TAP_DIR/v/dest_count.wasm" # a section more
verify
is "$status" 6 "verify: a module that is not the manifest's"
like "$stderr" "is not the module that its manifest names" "verify: a module that is not the manifest's is said"
again
sed -i 's/"sha256:[0-9a-f]*"/null/' "$TAP_DIR/v/dest_count.manifest.json"
verify
is "$status" 0 "verify: a manifest without a digest"
like "$stdout" "\(not in its manifest\)" "verify: a manifest without a digest is said"
truncate -s 1000 "$TAP_DIR/v/dest_count.wasm"
verify
is "$status" 6 "verify: half a module"
again
printf '{' >"$TAP_DIR/v/dest_count.manifest.json"
verify
like "$stderr" "is not JSON" "verify: a manifest that is none"
verify nothing
is "$status" 6 "verify: one that is not there"
verify "$BUILD/test-connectors/bad_import.wasm" "$BUILD/connectors/dest_count.wasm" --output json
is "$status" 6 "verify: an import that the host has not"
is "$(verdict '[c["ok"] for c in d], d[0]["error"]["code"]')" "([False, True], 'IMPORT_REFUSED')" "verify: an import is named, and the others are checked"
verify "$BUILD/connectors/dest_count"
is "$status" 0 "verify: a path without .wasm" || diag "$stderr"
(cd "$BUILD/connectors" && verify ./dest_count && printf '%s\n' "$status") >"$TAP_DIR/relative"
is "$(<"$TAP_DIR/relative")" 0 "verify: a relative path"
verify "$BUILD/hostile/start_spinner.wasm"
is "$status" 0 "verify: nothing runs"
done_testing

#!/bin/bash
# Text of others never steers a terminal: what has names, values and messages that would move the cursor, begin another line or turn
# the direction of text round, and every command that shows them.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pg_start main || bail "no PostgreSQL"
databases

# The same text for SQL, YAML and JSON, and the shell.
SQL='\001b[31m\000d\000aEVIL\202e\2066\200f\2028\0085\007f'
TEXT='\u001b[31m\r\nEVIL\u202e\u2066\u200f\u2028\u0085\u007f'
SHELL_TEXT=$'\e[31m\r\nEVIL\u202e\u2066\u200f\u2028\u0085\x7f'

# shown <where> <command>...: runs it on a terminal, or without one, and prints how it ended and what is wrong with what it wrote.
cat >"$TAP_DIR/shown.py" <<'PY'
import json, os, re, subprocess, sys
from on_terminal import on_terminal
where, command = sys.argv[1], sys.argv[2:]
if where == "terminal":
    written, status = on_terminal(command, 200)
    # What the terminal makes of a line's end, and what the program draws over.
    parts = [re.sub(rb"\x1b\[[0-9]+A\x1b\[J", b"", written.replace(b"\r\n", b"\n"))]
else:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    status, parts = done.returncode, [done.stdout, done.stderr]
print("status", status)
print("evil", sum(part.count(b"EVIL") for part in parts))
for part in parts:
    try:
        text = part.decode()
    except UnicodeDecodeError as wrong:
        print("wrong: not UTF-8", wrong)
        text = part.decode("latin-1")
    for line in text.split("\n"):
        bad = re.search("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f]", line)
        if bad or line.startswith("EVIL"):
            print("wrong:", ascii(line))
if "json" in command:
    for line in parts[0].decode().splitlines():
        json.loads(line)
        print("json" if where == "nobody" else "")
open(os.environ["SHOWN"], "wb").write(b"".join(parts))
PY
export SHOWN=$TAP_DIR/shown

# harmless <expected status> <least times that the text is seen> <name> <command>...
harmless() {
    local expected=$1 least=$2 name=$3 where
    shift 3
    for where in nobody terminal; do
        PYTHONPATH=tests/lib run python3 "$TAP_DIR/shown.py" "$where" "$@"
        like "$stdout" "^status $expected\$" "$name, $where: ends as it should" || diag "$(<"$SHOWN")"
        unlike "$stdout" "^wrong" "$name, $where: harmless"
        cmp_ok "$(sed -n 's/^evil //p' <<<"$stdout")" -ge "$least" "$name, $where: and readable" || diag "$(<"$SHOWN")"
    done
}

src_sql "CREATE SCHEMA U&\"s$SQL\";
    CREATE TYPE U&\"s$SQL\".U&\"e$SQL\" AS ENUM (U&'one$SQL', U&'two$SQL');
    CREATE TABLE U&\"s$SQL\".U&\"t$SQL\" (U&\"id$SQL\" text PRIMARY KEY, U&\"at$SQL\" text, e U&\"s$SQL\".U&\"e$SQL\");
    INSERT INTO U&\"s$SQL\".U&\"t$SQL\" VALUES (U&'1$SQL', U&'1$SQL', U&'one$SQL'), (U&'2$SQL', U&'2$SQL', U&'two$SQL')"
dst_sql "CREATE SCHEMA U&\"d$SQL\""
document() {
    cat <<YAML
version: "1.0"
pipeline: ${1:-evil}
source:
  use: source-postgres
  config: { host: 127.0.0.1, port: $PG_PORT, user: postgres, password: postgres, database: src, schema: "s$TEXT" }
  streams:
    - { name: "t$TEXT", sync_mode: incremental, cursor_field: "at$TEXT", write_mode: upsert, primary_key: ["id$TEXT"] }
destination:
  use: dest-postgres
  config: { host: 127.0.0.1, port: $PG_PORT, user: postgres, password: postgres, database: dst, schema: "d$TEXT" }
  write_mode: append
state: { backend: sqlite, connection: ./state.db }
YAML
}
folder=$TAP_DIR/f$SHELL_TEXT
mkdir "$folder"
p=$folder/p$SHELL_TEXT.yaml
document >"$p"

for output in text json; do
    harmless 0 1 "discover, $output" "$RAPIDBYTE" discover --output "$output" "$p"
    harmless 0 1 "check, $output" "$RAPIDBYTE" check --output "$output" "$p"
    harmless 0 1 "run, $output" "$RAPIDBYTE" run -vv --key "k-$output" --output "$output" "$p"
    harmless 0 1 "verify, $output" "$RAPIDBYTE" verify --output "$output" "$p"
    harmless 0 1 "state show, $output" "$RAPIDBYTE" state show --output "$output" "$p"
    harmless 0 1 "history, show, $output" "$RAPIDBYTE" history show --output "$output" last "$p"
    harmless 0 0 "history, $output" "$RAPIDBYTE" history --output "$output" "$p"
    harmless 0 0 "cancel, $output" "$RAPIDBYTE" cancel --output "$output" "$p"
done
harmless 0 1 "discover, yaml" "$RAPIDBYTE" discover --output yaml "$p"
harmless 0 1 "run, logged as JSON" "$RAPIDBYTE" run -vv --log-format json "$p"
harmless 0 1 "state export" "$RAPIDBYTE" state export "$p"
harmless 0 1 "state set-cursor" "$RAPIDBYTE" state set-cursor "$p" "t$SHELL_TEXT" "0$SHELL_TEXT"
like "$(python3 -c 'import json, sys; print(ascii(json.load(open(sys.argv[1]))["streams"][0]["stream"]))' \
    <("$RAPIDBYTE" state show --output json "$p"))" "^'t.x1b\[31m.r.nEVIL.u202e.u2066.u200f.u2028.x85.x7f'\$" "JSON: the name is whole"

# What discover prints is the name that it is: it runs.
"$RAPIDBYTE" discover --output yaml "$p" >"$TAP_DIR/streams"
document pasted | sed -e "/^  streams:/r $TAP_DIR/streams" -e '/^  streams:/d' -e '/sync_mode: incremental/d' -e 's/write_mode: append/write_mode: replace/' >"$TAP_DIR/pasted.yaml"
run_is 0 "discover's YAML runs" "$RAPIDBYTE" run "$TAP_DIR/pasted.yaml"
is "$(dst_sql "SELECT count(*) FROM U&\"d$SQL\".U&\"t$SQL\"")" 2 "and moves the table"

# What a server says of a row that it does not take: message, detail, hint, and a notice beforehand.
dst_sql "UPDATE U&\"d$SQL\".U&\"t$SQL\" SET U&\"at$SQL\" = 'other' WHERE ctid = '(0,1)'"
harmless 5 1 "verify, different" "$RAPIDBYTE" verify "$p"
dst_sql "CREATE FUNCTION evil() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN
    RAISE WARNING '%', U&'notice$SQL'; RAISE EXCEPTION '%', U&'message$SQL' USING DETAIL = U&'detail$SQL', HINT = U&'hint$SQL'; END \$\$;
    CREATE TRIGGER evil BEFORE INSERT OR UPDATE ON U&\"d$SQL\".U&\"t$SQL\" FOR EACH STATEMENT EXECUTE FUNCTION evil()"
harmless 0 0 "state reset" "$RAPIDBYTE" state reset "$p"
for output in text json; do
    harmless 5 3 "run, refused, $output" "$RAPIDBYTE" run -vv --output "$output" "$p"
    harmless 0 2 "history, refused, $output" "$RAPIDBYTE" history show --output "$output" last "$p"
done
harmless 5 3 "run, refused, logged as JSON" "$RAPIDBYTE" run -vv --log-format json "$p"
harmless 0 0 "state abandon" "$RAPIDBYTE" state abandon "$p"
src_sql "DROP TABLE U&\"s$SQL\".U&\"t$SQL\""
for output in text json; do
    harmless 3 1 "check, failed, $output" "$RAPIDBYTE" check --output "$output" "$p"
done

# Mistakes in a document, and on the command line.
sed "s/write_mode: append/write_mode: \"w${TEXT//\\/\\\\}\"/" "$p" >"$folder/mistake.yaml"
for output in text json; do
    harmless 2 2 "mistakes, $output" "$RAPIDBYTE" run --output "$output" "$folder/mistake.yaml"
    harmless 2 1 "a stream that is none, $output" "$RAPIDBYTE" run --output "$output" --streams "x$SHELL_TEXT" "$p"
    harmless 2 1 "a document that is not there, $output" "$RAPIDBYTE" run --output "$output" "none$SHELL_TEXT"
done
harmless 2 1 "an unknown command" "$RAPIDBYTE" "x$SHELL_TEXT"
harmless 2 1 "an unknown option" "$RAPIDBYTE" run "--x$SHELL_TEXT"
harmless 7 1 "a state that is not there" "$RAPIDBYTE" history --state "none$SHELL_TEXT"

# Connectors: a manifest, and the folder that it is in.
cp "$BUILD/connectors/source_postgres.wasm" "$BUILD/connectors/source_postgres.manifest.json" "$folder"
sed -i "0,/\"version\": \"[^\"]*\"/s//\"version\": \"v${TEXT//\\/\\\\}\"/" "$folder/source_postgres.manifest.json"
export RAPIDBYTE_CACHE_DIR=$TAP_DIR/aot
for command in "connectors" "connectors verify" "compile"; do
    for output in text json; do
        # shellcheck disable=SC2086
        harmless 0 1 "$command, $output" "$RAPIDBYTE" $command --output "$output" --connectors "$folder"
    done
done
harmless 6 1 "compile, out of memory" "$RAPIDBYTE" compile --memory 40mb --aot-dir "$TAP_DIR/small" "$folder/source_postgres.wasm"
echo '{' >"$folder/x.manifest.json"
printf x >"$folder/x.wasm"
harmless 6 1 "connectors, a bad manifest" "$RAPIDBYTE" connectors --connectors "$folder"
harmless 6 1 "compile, not WebAssembly" "$RAPIDBYTE" compile "$folder/x.wasm"
mkdir "$folder/empty"
harmless 0 1 "connectors, none" "$RAPIDBYTE" connectors --connectors "$folder/empty"
done_testing

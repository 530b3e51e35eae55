#!/bin/bash
# Bad input: one clear message, the right exit code, nothing half-done, the run recorded as failed.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pg_start main || bail "no PostgreSQL"
pg_hba "host all wrong 127.0.0.1/32 scram-sha-256"
pg_sql "CREATE ROLE wrong LOGIN PASSWORD 'right'"
databases
src_sql 'CREATE TABLE users (id integer PRIMARY KEY, name text); INSERT INTO users VALUES (1, $$one$$), (2, $$two$$)'
p=$TAP_DIR/p.yaml
STREAMS='- { name: users }'

# outcome: of the newest run in the state.
outcome() {
    python3 -c 'import sqlite3, sys
print("%s|%s" % sqlite3.connect(sys.argv[1]).execute("SELECT outcome, exit_code FROM runs ORDER BY id DESC LIMIT 1").fetchone())' "$TAP_DIR/state.db"
}

no_table() {
    is "$(dst_sql "SELECT to_regclass('raw.users') IS NULL")" t "$1: nothing is visible"
}

# Documents.
pipeline "$p"
sed 's/^pipeline:/pipelin:/' "$p" >"$TAP_DIR/typo.yaml"
run_is 2 "an unknown key" "$RAPIDBYTE" run "$TAP_DIR/typo.yaml"
like "$stderr" "typo.yaml:2:1: .*'pipelin'" "an unknown key: its place"
like "$stderr" "pipeline" "an unknown key: the nearest"
{ cat "$p"; printf 'resources: { max_memory: 12xb, max_batch_bytes: -1 }\n'; } >"$TAP_DIR/size.yaml"
run_is 2 "a size that is none" "$RAPIDBYTE" run "$TAP_DIR/size.yaml"
like "$stderr" "size.yaml:[0-9]+:[0-9]+: .*12xb" "a size that is none: its place and text"
is "$(grep -c '^.*size.yaml:' <<<"$stderr")" 2 "both mistakes at once"
sed 's/password: postgres/password: ${NO_SUCH_ONE}/; s/user: postgres/user: ${NO_SUCH_TWO}/' "$p" >"$TAP_DIR/env.yaml"
run_is 2 "missing environment variables" "$RAPIDBYTE" run "$TAP_DIR/env.yaml"
like "$stderr" "NO_SUCH_ONE" "the first missing variable is named"
like "$stderr" "NO_SUCH_TWO" "the other one, too"
printf 'version: "1.0"\npipeline: [unclosed\n' >"$TAP_DIR/syntax.yaml"
run_is 2 "a YAML syntax error" "$RAPIDBYTE" run "$TAP_DIR/syntax.yaml"
like "$stderr" "syntax.yaml:[0-9]+:[0-9]+" "a YAML syntax error: its place"
sed 's/use: source-postgres/use: source-postgrs/' "$p" >"$TAP_DIR/missing.yaml"
run_is 6 "a connector that isn't found" "$RAPIDBYTE" run "$TAP_DIR/missing.yaml"
like "$stderr" "$BUILD" "a connector that isn't found: the places searched"
run_is 2 "--streams with a stream that isn't in the document" "$RAPIDBYTE" run "$p" --streams users,nobody
like "$stderr" "nobody" "--streams: names it"

# Connectors.
mkdir "$TAP_DIR/tampered"
cp "$BUILD"/connectors/* "$TAP_DIR/tampered/"
cp "$TAP_DIR/tampered/transform_mask.wasm" "$TAP_DIR/tampered/source_postgres.wasm"
run_is 6 "a module whose checksum differs" "$RAPIDBYTE" run "$p" --connectors "$TAP_DIR/tampered"
like "$stderr" "sha-?256|checksum" "a module whose checksum differs: says so"

# Disks: a limit on files' sizes is as good as a full one, and needs no disk to be filled.
run_is 7 "the state's disk is full" bash -c 'ulimit -f 8; exec "$RAPIDBYTE" run "$0"' "$p"
like "$stderr" "state.db can't grow: the disk is full .*ulimit -f" "the state's disk is full: says so"
rm -f "$TAP_DIR"/state.db*
run_is 6 "the cache's disk is full" bash -c 'ulimit -f 100; exec "$RAPIDBYTE" run --aot-dir "$1" "$0"' "$p" "$TAP_DIR/aot"
like "$stderr" "$TAP_DIR/aot/.*can't be written: File too large" "the cache's disk is full: says so"
like "$stderr" "^  hint: raise the limit.*ulimit -f" "the cache's disk is full: and what to do"
no_table "the disk is full"
run_is 1 "the report's disk is full" bash -c '"$RAPIDBYTE" run "$0" >/dev/full' "$p"
like "$stderr" "writing to standard output failed" "the report's disk is full: says so"
dst_sql "SET client_min_messages = error; DROP SCHEMA raw CASCADE; DROP SCHEMA _rapidbyte CASCADE"
rm -f "$TAP_DIR"/state.db*

# Servers.
sed "s/port: $PG_PORT, user: postgres, password: postgres, database: src/port: 1, user: postgres, password: postgres, database: src/" "$p" >"$TAP_DIR/refused.yaml"
printf 'resources: { max_retries: 0 }\n' >>"$TAP_DIR/refused.yaml"
run_is 3 "the source refuses the connection" "$RAPIDBYTE" run "$TAP_DIR/refused.yaml"
like "$stderr" "127.0.0.1:1.*[Cc]onnection refused" "refused: where and why"
is "$(outcome)" "failed|3" "refused: recorded"
no_table "refused"
run_is 3 "check says so, too" "$RAPIDBYTE" check "$TAP_DIR/refused.yaml"
sed "s/user: postgres, password: postgres, database: dst/user: wrong, password: sesame-street, database: dst/" "$p" >"$TAP_DIR/password.yaml"
run_is 4 "a wrong password at the destination" "$RAPIDBYTE" run "$TAP_DIR/password.yaml"
like "$stderr" "password authentication failed" "a wrong password: says so"
unlike "$stderr$stdout" "sesame-street" "a wrong password is not shown"
is "$(outcome)" "failed|4" "a wrong password: recorded"
sed "s/user: postgres, password: postgres, database: src/user: wrong, password: sesame-street, database: src/" "$p" >"$TAP_DIR/password2.yaml"
run_is 3 "a wrong password at the source" "$RAPIDBYTE" run "$TAP_DIR/password2.yaml" --log-level trace
unlike "$stderr$stdout" "sesame-street" "nor at log level trace"
sed "s/database: src/database: nowhere/" "$p" >"$TAP_DIR/database.yaml"
run_is 3 "a database that isn't there" "$RAPIDBYTE" run "$TAP_DIR/database.yaml"
like "$stderr" "nowhere" "a database that isn't there is named"

# Streams: one bad table does not block the others.
STREAMS='- { name: missing }
- { name: users }' write_mode=replace
pipeline "$p"
run_is 8 "a table that is missing beside one that isn't" "$RAPIDBYTE" run "$p"
like "$stderr" "missing" "a missing table is named"
same users "the other stream is loaded"
is "$(outcome)" "partial|8" "partial: recorded"
STREAMS='- { name: missing }'
pipeline "$p"
run_is 3 "a missing table alone" "$RAPIDBYTE" run "$p"
run_is 3 "check finds the missing table" "$RAPIDBYTE" check "$p"
STREAMS='- { name: users, sync_mode: incremental, cursor_field: nothing, write_mode: append }'
PIPELINE=cursor pipeline "$p"
run_is 3 "a missing cursor column" "$RAPIDBYTE" run "$p"
like "$stderr" "nothing" "a missing cursor column is named"

# A name that is nearly right, and one with its schema before it.
src_sql 'CREATE SCHEMA sales; CREATE TABLE sales.actor (id integer); CREATE TABLE IF NOT EXISTS public.customers (id integer, updated_at timestamptz)'
near() {
    STREAMS=$1 PIPELINE=near pipeline "$p"
    for command in run check; do
        run "$RAPIDBYTE" $command "$p"
        is "$status" "${4:-3}" "$2: $command: exit code"
        like "$stdout$stderr" "hint: $3" "$2: $command: what was meant"
    done
}
near '- { name: custmers }' "a table with a typo" 'did you mean "customers"\?'
near '- { name: Customers }' "a table in capitals" 'did you mean "customers"\?'
near '- { name: public.customers }' "a name with the schema that is read" 'a schema has a key of its own: . name: "customers", schema: "public" .'
near '- { name: sales.actor }' "a name with another schema" 'a schema has a key of its own: . name: "actor", schema: "sales" .'
near '- { name: actor }' "a table of another schema" 'schema "sales" has one: . name: "actor", schema: "sales" .'
near '- { name: customers, columns: [id, updatd_at] }' "a column with a typo" 'did you mean "updated_at"\?'
near '- { name: customers, sync_mode: incremental, cursor_field: update_at, write_mode: append }' "a cursor with a typo" 'did you mean "updated_at"\?'
# What a key is made of is a matter of the stream's columns, whether the table is new or old.
near '- { name: customers, write_mode: upsert, primary_key: [di] }' "a key with a typo, of a new table" 'did you mean "id"\?' 5
like "$stdout$stderr" 'primary key column "di" is not among the stream.s columns' "a key with a typo: what is wrong"
dst_sql 'CREATE TABLE raw.customers (id integer UNIQUE, updated_at timestamptz)'
near '- { name: customers, write_mode: upsert, primary_key: [updatedat] }' "a key with a typo, of an old table" 'did you mean "updated_at"\?' 5
near '- { name: customers, write_mode: upsert, primary_key: [xxxxxxxx] }' "a key that is like nothing" 'name columns of the stream in primary_key' 5
run "$RAPIDBYTE" check "$p" --streams custmers
like "$stderr" 'hint: did you mean "customers"\?' "--streams with a typo"
STREAMS='["cust*"]' PIPELINE=near pipeline "$p"
sed -i 's/streams:$/streams: ["cust*"]/; /^    \[/d' "$p"
run "$RAPIDBYTE" run "$p" --streams custmers
like "$stderr" 'hint: did you mean "customers"\?' "--streams with a typo, beside a pattern"

# Data that the destination refuses.
dst_sql 'DROP TABLE raw.users; CREATE TABLE raw.users (id integer PRIMARY KEY, name text CHECK (name <> $$two$$))'
STREAMS='- { name: users }' write_mode=append
PIPELINE=constraint pipeline "$p"
run_is 5 "a constraint" "$RAPIDBYTE" run "$p"
like "$stderr" "users_name_check" "a constraint is named"
like "$stderr" "stream 'users'" "and the stream"
is "$(dst_sql 'SELECT count(*) FROM raw.users')" 0 "a constraint: no row is visible"
is "$(outcome)" "failed|5" "a constraint: recorded"
dst_sql 'DROP TABLE raw.users; CREATE TABLE raw.users (id date, name text)'
run_is 5 "a type that differs" "$RAPIDBYTE" run "$p"
like "$stderr" "id" "a type that differs: the column"

# A value that is larger than what connectors have memory for: the hint names the key that bounds it now.
src_sql "CREATE TABLE big (id integer PRIMARY KEY, v bytea); ALTER TABLE big ALTER v SET STORAGE external; INSERT INTO big VALUES (1, decode(repeat('ab', 90 * 1024 * 1024), 'hex'))"
for keys in "max_record_bytes|" "max_memory|max_record_bytes: 1gb" "max_memory|max_record_bytes: 1gb, max_batch_bytes: 1gb"; do
    STREAMS='- { name: big }' PIPELINE=big EXTRA="resources: { max_retries: 0, ${keys#*|} }" pipeline "$p"
    run "$RAPIDBYTE" run "$p"
    like "$stderr" "^  hint: raise resources.${keys%%|*}" "a value of 90 MB, { ${keys#*|} }: the hint is of ${keys%%|*}"
done
src_sql 'DROP TABLE big'

# State.
STREAMS='- { name: users }' write_mode=replace
pipeline "$p"
sed "s#connection: ./state.db#connection: /nonexistent/folder/state.db#" "$p" >"$TAP_DIR/folder.yaml"
run_is 7 "a state file in a folder that isn't there" "$RAPIDBYTE" run "$TAP_DIR/folder.yaml"
like "$stderr" "/nonexistent/folder" "the folder is named"
printf 'this is no database, however long it is%.0s' {1..200} >"$TAP_DIR/garbage.db"
sed "s#connection: ./state.db#connection: ./garbage.db#" "$p" >"$TAP_DIR/garbage.yaml"
run_is 7 "a state file that is none" "$RAPIDBYTE" run "$TAP_DIR/garbage.yaml"
like "$stderr" "garbage.db" "it is named"
run_is 7 "check finds it" "$RAPIDBYTE" check "$TAP_DIR/garbage.yaml"
done_testing

#!/bin/bash
# Writers at the source while runs go on; many small runs; two engines on one pipeline.
#
#   SEED     of the writers and of the moments at which runs are killed (default 1)
#   LONG=1   minutes instead of seconds: what `make concurrency` does
# shellcheck disable=SC2317,SC2329 # functions that wait_until is given
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
. "$ROOT/tests/lib/faults.sh"
SEED=${SEED:-1}
if [[ ${LONG:-} ]]; then
    write_s=300 small_runs=1000 races=50
else
    write_s=9 small_runs=40 races=4
fi
diag "SEED=$SEED"
RANDOM=$SEED
pg_start main || bail "no PostgreSQL"
databases

# ---- Writers. Each committed version of a row is in `history`, written in the same transaction; a version that was rolled back
# is not, and its number is used again with another value.
src_sql "CREATE TABLE w (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, version int NOT NULL DEFAULT 1, v int NOT NULL,
        c timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp()));
    CREATE INDEX ON w (c);
    CREATE TABLE history (id bigint, version int, v int, c timestamptz);
    CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO history VALUES (NEW.id, NEW.version, NEW.v, NEW.c); RETURN NULL; END';
    CREATE TRIGGER keep AFTER INSERT OR UPDATE ON w FOR EACH ROW EXECUTE FUNCTION keep();
    INSERT INTO w (v) SELECT g FROM generate_series(1, 500) g"

update="UPDATE w SET version = version + 1, v = :v, c = date_trunc('milliseconds', clock_timestamp()) WHERE id = :id"
cat >"$TAP_DIR/writer.sql" <<SQL
\\set what random(1, 100)
\\set id random(1, 500)
\\set v random(1, 1000000000)
\\set ms random_exponential(1, 1500, 4)
\\if :what <= 30
INSERT INTO w (v) VALUES (:v);
\\elif :what <= 55
$update;
\\elif :what <= 70
BEGIN;
INSERT INTO w (v) VALUES (:v), (:v + 1);
\\sleep :ms ms
COMMIT;
\\elif :what <= 80
BEGIN;
SAVEPOINT a;
INSERT INTO w (v) VALUES (:v);
RELEASE SAVEPOINT a;
SAVEPOINT b;
$update;
ROLLBACK TO SAVEPOINT b;
SAVEPOINT c;
$update;
\\sleep :ms ms
COMMIT;
\\elif :what <= 90
BEGIN;
$update;
INSERT INTO w (v) VALUES (:v);
\\sleep 20 ms
ROLLBACK;
\\else
BEGIN;
$update;
\\sleep 50 ms
COMMIT;
\\endif
SQL

stream() { printf -- "- { name: %s, table: w, destination_table: %s, sync_mode: incremental, cursor_field: c, write_mode: %s }\n" "$1" "$1" "$2"; }
live=$TAP_DIR/live.yaml parts=$TAP_DIR/parts.yaml
PIPELINE=live STATE=live STREAMS="$(stream appended append)
$(stream upserted upsert)" EXTRA='resources: { parallelism: 2 }' pipeline "$live"
PIPELINE=parts STATE=parts STREAMS=$(stream parted append) EXTRA='resources: { checkpoint_interval_rows: 20 }' pipeline "$parts"

n_runs=0 n_killed=0 n_refused=0 failed=
# turn <document>: a run, which one time in four is killed at any moment. After that a server may hold a lock for a moment.
turn() {
    local code kill_ms=$((20 + RANDOM % 200))
    n_runs=$((n_runs + 1))
    if ((RANDOM % 4 == 0)); then
        n_killed=$((n_killed + 1))
        timeout -s KILL "0.$(printf '%03d' "$kill_ms")" "$RAPIDBYTE" run "$1" >"$TAP_DIR/out" 2>&1
        return
    fi
    "$RAPIDBYTE" run "$1" >"$TAP_DIR/out" 2>&1
    code=$?
    if ((code == 7)); then
        n_refused=$((n_refused + 1))
    elif ((code != 0)); then
        failed="$failed $code: $(<"$TAP_DIR/out")"
    fi
}
run_is 0 "a first run, for the compiler" "$RAPIDBYTE" run "$live"
PGHOST=$PG_SOCKET PGPORT=$PG_PORT PGUSER=postgres "$PG_BIN/pgbench" -n -c 6 -j 1 -R 150 -T "$write_s" --random-seed="$SEED" -f "$TAP_DIR/writer.sql" src \
    >"$TAP_DIR/pgbench" 2>&1 &
writers=$!
at_exit kill "$writers"
while ! is_gone "$writers"; do
    turn "$live"
    turn "$parts"
done
wait "$writers"
is "$?" 0 "the writers have written" || diag "$(<"$TAP_DIR/pgbench")"
wait_until "$PATIENCE_S" no_sessions
diag "$n_runs runs, $n_killed of them killed, $n_refused refused because of one that was; $(src_sql 'SELECT count(*), max(version) FROM w')"
is "$failed" "" "no run that was left alone failed"
cmp_ok "$n_runs" -ge 10 "there were runs meanwhile"
run_is 0 "a last run" "$RAPIDBYTE" run "$live"
run_is 0 "a last run, in parts" "$RAPIDBYTE" run "$parts"

# What is compared. upsert: the destination is the source. append: (1) what the source holds now is there once; (2) whatever is
# there is a version that was committed, with its value; (3) no version is there twice. A version that another replaced before
# a run could see it is not promised.
copy_history() {
    dst_sql 'CREATE TABLE history (id bigint, version int, v int, c timestamptz); CREATE TABLE now (LIKE history)'
    src_sql 'COPY history TO STDOUT' | dst_sql 'COPY history FROM STDIN'
    src_sql 'COPY (SELECT id, version, v, c FROM w) TO STDOUT' | dst_sql 'COPY now FROM STDIN'
}
copy_history
is "$(content dst_sql raw.upserted)" "$(content src_sql w)" "upsert: the sets are equal"
for table in appended parted; do
    is "$(dst_sql "SELECT count(*) FROM (SELECT id, version, v, c FROM now EXCEPT SELECT id, version, v, c FROM raw.$table) t")" 0 \
        "$table: what the source holds is there"
    is "$(dst_sql "SELECT count(*) FROM (SELECT id, version, v, c FROM raw.$table EXCEPT SELECT id, version, v, c FROM history) t")" 0 \
        "$table: what is there was committed"
    is "$(dst_sql "SELECT count(*) - count(DISTINCT (id, version)) FROM raw.$table")" 0 "$table: no version twice"
    cmp_ok "$(dst_sql "SELECT count(*) FROM raw.$table")" -gt "$(src_sql 'SELECT count(*) FROM w')" "$table: older versions are there, too"
done

# ---- Many small runs leave nothing behind but their row in ledger and state.
src_sql 'CREATE TABLE s (id int)'
STREAMS='- { name: s, sync_mode: incremental, cursor_field: id }' PIPELINE=small STATE=small pipeline "$TAP_DIR/small.yaml"
mkdir "$TAP_DIR/tmp"
files() { find "$TAP_DIR" ! -path "$PG_DIR/*" ! -name '.std*' ! -name '*.db-*' | sort | tr '\n' ' '; }
sockets() { pg_sql "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'rapidbyte%'"; }
small_failed=0
small() {
    src_sql "INSERT INTO s VALUES ($1)"
    TMPDIR=$TAP_DIR/tmp "$RAPIDBYTE" run "$TAP_DIR/small.yaml" >"$TAP_DIR/out" 2>&1 || small_failed=$((small_failed + 1))
}
small 1
small 2
before=$(files)
for ((i = 3; i <= small_runs; i++)); do small "$i"; done
is "$small_failed" 0 "$small_runs small runs" || diag "$(<"$TAP_DIR/out")"
same s "each row once"
is "$(files)" "$before" "no file is left of them"
wait_until 5 no_sessions
is "$(sockets)" 0 "no connection"
is "$(leftovers)" 0 "no table"
is "$(dst_sql "SELECT (SELECT count(*) FROM _rapidbyte.loads WHERE pipeline = 'small'), (SELECT count(*) FROM _rapidbyte.open_loads WHERE pipeline = 'small' AND ended IS NOT NULL),
    (SELECT count(*) FROM _rapidbyte.staging), (SELECT count(*) FROM _rapidbyte.rejected)")" "$small_runs|$small_runs|0|0" "a row of the ledger for each, and nothing else"
is "$(state_sql "$TAP_DIR/small.db" 'SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM locks)')" "$small_runs|0" "a row of the state for each, and no lock"

# ---- Two engines race on one pipeline, from two folders with a state each: one runs, the other is refused by name.
src_sql "CREATE TABLE r (id int, v text);
    CREATE FUNCTION race_gate(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN
        IF \$1 % 1000 = 0 THEN PERFORM pg_advisory_lock_shared(42); PERFORM pg_advisory_unlock_shared(42); END IF; RETURN true; END'"
for folder in one two; do
    mkdir "$TAP_DIR/$folder"
    STREAMS='- { name: r, sync_mode: incremental, cursor_field: id, where: public.race_gate(id) }' PIPELINE=race pipeline "$TAP_DIR/$folder/p.yaml"
done
race() { # race <folder>: in the background
    (
        "$RAPIDBYTE" run "$TAP_DIR/$1/p.yaml" >"$TAP_DIR/$1/out" 2>&1
        echo $? >"$TAP_DIR/$1/code"
    ) &
}
one_is_back() { [[ -s $TAP_DIR/one/code || -s $TAP_DIR/two/code ]]; }
both_are_back() { [[ -s $TAP_DIR/one/code && -s $TAP_DIR/two/code ]]; }
wrong=
for ((i = 1; i <= races; i++)); do
    rm -f "$TAP_DIR"/{one,two}/code
    src_sql "INSERT INTO r SELECT g, md5(g::text) FROM generate_series(($i - 1) * 1000 + 1, $i * 1000) g"
    close_gate src
    race one
    race two
    wait_until "$PATIENCE_S" one_is_back
    wait_until "$PATIENCE_S" at_gate src
    open_gate src
    wait_until "$PATIENCE_S" both_are_back
    codes=$(sort "$TAP_DIR"/{one,two}/code | tr '\n' ' ')
    loser=$(grep -l 7 "$TAP_DIR"/{one,two}/code | head -n 1)
    [[ $codes == "0 7 " ]] && grep -q "pipeline 'race' is being loaded by another run (server process" "${loser%code}out" || wrong="$wrong $i: $codes"
done
is "$wrong" "" "$races races: one wins each time, and the other is refused by name"
same r "each row once, whoever ran"

# ---- Pipelines that meet at a destination without a ledger, and make it at once.
fresh
src_sql 'CREATE TABLE m (id int); INSERT INTO m VALUES (1), (2)'
none_runs() { [[ $(cat "$TAP_DIR"/m?.code 2>/dev/null | wc -l) == 4 ]]; }
for ((i = 1; i <= 4; i++)); do
    STREAMS="- { name: m, destination_table: m$i }" PIPELINE="m$i" STATE="m$i" pipeline "$TAP_DIR/m$i.yaml"
    (
        "$RAPIDBYTE" run "$TAP_DIR/m$i.yaml" >"$TAP_DIR/m$i.out" 2>&1
        echo $? >"$TAP_DIR/m$i.code"
    ) &
done
wait_until "$PATIENCE_S" none_runs
is "$(sort -u "$TAP_DIR"/m?.code)" 0 "four pipelines make schema and ledger at once" || diag "$(cat "$TAP_DIR"/m?.out)"
is "$(dst_sql 'SELECT (SELECT count(*) FROM raw.m1), (SELECT count(*) FROM raw.m2), (SELECT count(*) FROM raw.m3), (SELECT count(*) FROM raw.m4)')" "2|2|2|2" \
    "each has its rows"

# ---- Readers of a table that is replaced see all of the old rows or all of the new ones.
src_sql 'CREATE TABLE q (id int); INSERT INTO q SELECT generate_series(1, 1000)'
STREAMS='- { name: q, write_mode: replace }' PIPELINE=q STATE=q pipeline "$TAP_DIR/q.yaml"
run_is 0 "replace: a first run" "$RAPIDBYTE" run "$TAP_DIR/q.yaml"
while :; do
    dst_sql 'SELECT count(*) FROM raw.q'
done >"$TAP_DIR/seen" 2>&1 &
reader=$!
at_exit kill "$reader"
for ((i = 2; i <= 8; i++)); do
    src_sql "TRUNCATE q; INSERT INTO q SELECT generate_series(1, $i * 1000)"
    "$RAPIDBYTE" run "$TAP_DIR/q.yaml" >"$TAP_DIR/out" 2>&1 || diag "$(<"$TAP_DIR/out")"
done
kill "$reader"
wait "$reader" 2>/dev/null
same q "replace: the last content"
is "$(grep -vxE '[1-8]000' "$TAP_DIR/seen")" "" "replace: a reader sees the old rows or the new ones, and never none"
cmp_ok "$(sort -u "$TAP_DIR/seen" | wc -l)" -ge 3 "replace: it has looked at several"
done_testing

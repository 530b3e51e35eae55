#!/bin/bash
# write_mode: upsert: after a run that says ok each row of the source is in the table as the source has it.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pg_start main || bail "no PostgreSQL"
databases
p=$TAP_DIR/p.yaml
export write_mode=upsert
written() { python3 -c 'import json, sys; s = json.loads(sys.argv[1])["streams"][0]; print(s["records_written"], s["records_skipped"])' "$stdout"; }

# A trigger of the target that keeps an update of a row from being made, in any of its ways.
src_sql "CREATE TABLE keyed (id int PRIMARY KEY, v text, doc json); INSERT INTO keyed SELECT g, 'v' || g, '{}' FROM generate_series(1, 9000) g"
dst_sql "CREATE SCHEMA raw; CREATE TABLE raw.keyed (id int PRIMARY KEY, v text CHECK (v <> 'refused'), doc json);
    CREATE FUNCTION raw.leave_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN CASE WHEN NEW.v <> ''silently'' THEN NEW END; END'"
STREAMS='- { name: keyed }' pipeline "$p"
run_is 0 "a first load" "$RAPIDBYTE" run "$p"
src_sql "UPDATE keyed SET v = 'silently' WHERE id = 7000"
before=$(content dst_sql raw.keyed)
for event in INSERT UPDATE; do
    dst_sql "CREATE TRIGGER t BEFORE $event ON raw.keyed FOR EACH ROW EXECUTE FUNCTION raw.leave_out()"
    for policy in fail skip; do
        STREAMS="- { name: keyed, on_data_error: $policy }" pipeline "$p"
        run_is 5 "a trigger before $event keeps an update back, $policy" "$RAPIDBYTE" run "$p"
        like "$stderr" '1 of 9000 rows upserted are not in the table' "before $event, $policy: said by number"
        is "$(content dst_sql raw.keyed)" "$before" "before $event, $policy: nothing is committed"
    done
    dst_sql 'DROP TRIGGER t ON raw.keyed'
done

# Rows that are refused are counted as such, beside updates that a trigger keeps back because they change nothing.
dst_sql 'CREATE TRIGGER t BEFORE UPDATE ON raw.keyed FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()'
src_sql "UPDATE keyed SET v = 'refused' WHERE id IN (5, 8000); UPDATE keyed SET v = 'new' WHERE id IN (6, 8001); INSERT INTO keyed VALUES (9001, 'more', '[]')"
STREAMS='- { name: keyed, on_data_error: skip }' pipeline "$p"
run_is 0 "rows refused, and rows unchanged" "$RAPIDBYTE" run "$p" --output json
is "$(written)" "8999 2" "they are counted"
is "$(dst_sql "SELECT string_agg(id || v, ',' ORDER BY id) FROM raw.keyed WHERE id IN (5, 6, 7000, 8000, 8001, 9001)")" \
    "5v5,6new,7000silently,8000v8000,8001new,9001more" "refused rows keep what was there, the others have what is new"
src_sql "UPDATE keyed SET v = v || '!' WHERE id % 100 = 5 OR id = 8000"
STREAMS='- { name: keyed }' pipeline "$p"
run_is 0 "rows unchanged" "$RAPIDBYTE" run "$p"
same keyed "all rows are there"

# Keys that are equal by the target's collation, or by their type, without being the same.
src_sql "CREATE TABLE words (w text, n numeric, v int); INSERT INTO words SELECT CASE WHEN g <= 5000 THEN 'Word ' ELSE 'WORD ' END || (g - 1) % 5000, 1.0, g FROM generate_series(1, 10000) g;
    CREATE TABLE cwords (w text COLLATE \"C\" PRIMARY KEY, v int); INSERT INTO cwords SELECT 'c' || g, g FROM generate_series(1, 100) g;
    CREATE TABLE numbers (n numeric PRIMARY KEY); INSERT INTO numbers VALUES (1.0), (2.0)"
dst_sql "CREATE COLLATION raw.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    CREATE TABLE raw.words (w text COLLATE raw.ci, n numeric, v int, PRIMARY KEY (w, n))"
for policy in fail skip; do
    STREAMS="- { name: words, primary_key: [w, n], on_data_error: $policy }
- { name: cwords }
- { name: numbers }" pipeline "$p"
    run_is 0 "keys that differ by case alone, $policy" "$RAPIDBYTE" run "$p"
    is "$(dst_sql "SELECT count(*), sum(v), min(w COLLATE \"C\"), max(w COLLATE \"C\") FROM raw.words")" "5000|37502500|WORD 0|WORD 999" "the last one of each counts, $policy"
    [[ $policy == fail ]] && src_sql "UPDATE numbers SET n = 1.00 WHERE n = 1; UPDATE cwords SET v = v + 1 WHERE v < 50"
done
same numbers "a key that is written otherwise, is so in the table"
same cwords "a key of another collation than the database's"
dst_sql 'CREATE TRIGGER t BEFORE UPDATE ON raw.words FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
    CREATE TRIGGER t BEFORE UPDATE ON raw.cwords FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()'
run_is 0 "the same, with updates kept back" "$RAPIDBYTE" run "$p"
is "$(dst_sql 'SELECT count(*), sum(v) FROM raw.words')" "5000|37502500" "nothing has changed"

# The source's primary key, each value of which comes once; not so by the target's collation.
src_sql "CREATE TABLE cased (w text PRIMARY KEY, v int); INSERT INTO cased SELECT w, v FROM words ORDER BY v"
dst_sql 'CREATE TABLE raw.cased (w text COLLATE raw.ci PRIMARY KEY, v int)'
for policy in fail skip; do
    STREAMS="- { name: cased, on_data_error: $policy }" pipeline "$p"
    run_is 0 "the source's key comes twice here, $policy" "$RAPIDBYTE" run "$p"
    is "$(dst_sql 'SELECT count(*), sum(v) FROM raw.cased')" "5000|37502500" "the last one of each counts, $policy"
    dst_sql 'TRUNCATE raw.cased'
done

# Rows that are numbered only when one of them has to be named.
dst_sql 'ALTER TABLE raw.cased ADD CONSTRAINT low CHECK (v <> 7770)'
STREAMS="- { name: cased }" pipeline "$p"
run_is 5 "the source's key comes twice here, and a row is refused" "$RAPIDBYTE" run "$p"
like "$stderr" 'row 7770 .*"low"' "the source's key comes twice here, and a row is refused: by its number"
dst_sql 'ALTER TABLE raw.cased DROP CONSTRAINT low; ALTER TABLE raw.cased ADD CONSTRAINT low CHECK (v <> 777)'
run_is 0 "a row is refused that a later one supersedes" "$RAPIDBYTE" run "$p"
is "$(dst_sql 'SELECT count(*), sum(v) FROM raw.cased')" "5000|37502500" "a row is refused that a later one supersedes: the later one is there"
run_is 0 "the same again" "$RAPIDBYTE" run "$p"
dst_sql 'TRUNCATE raw.cased'
src_sql "CREATE TABLE wider (id int PRIMARY KEY, part int, v text); INSERT INTO wider SELECT i, nullif(i, 1234), 'v' || i FROM generate_series(1, 3000) i"
dst_sql 'CREATE TABLE raw.wider (id int, part int, v text, UNIQUE (id, part))'
STREAMS='- { name: wider, primary_key: [id, part] }' pipeline "$p"
run_is 5 "NULL in a key that is wider than the source's" "$RAPIDBYTE" run "$p"
like "$stderr" 'row 1234 has NULL in its primary key' "NULL in a key that is wider than the source's: by its number"
is "$(dst_sql 'SELECT (SELECT count(*) FROM raw.cased) + (SELECT count(*) FROM raw.wider)')" 0 "nothing of either is visible"

# A row without a key can be neither updated nor inserted once.
src_sql "CREATE TABLE keyless (id int, v text); INSERT INTO keyless VALUES (1, 'a'), (NULL, 'b')"
dst_sql 'CREATE TABLE raw.keyless (id int UNIQUE, v text)'
STREAMS='- { name: keyless, primary_key: [id] }' pipeline "$p"
run_is 5 "NULL in the key" "$RAPIDBYTE" run "$p"
like "$stderr" 'row 2 has NULL in its primary key' "NULL in the key: the row is named"
is "$(dst_sql 'SELECT count(*) FROM raw.keyless')" 0 "NULL in the key: nothing is visible"
STREAMS='- { name: keyless, primary_key: [id], on_data_error: skip }' pipeline "$p"
run_is 0 "NULL in the key, on_data_error: skip" "$RAPIDBYTE" run "$p"
is "$(dst_sql 'SELECT id, v FROM raw.keyless')" "1|a" "NULL in the key: the others are there"

# Written are rows that are in the table: of those with the same key the last one counts.
src_sql "CREATE TABLE ten AS SELECT g % 10 AS k, g AS v FROM generate_series(1, 1000) g"
for policy in fail skip; do
    dst_sql 'DROP TABLE IF EXISTS raw.ten'
    STREAMS="- { name: ten, primary_key: [k], on_data_error: $policy }" pipeline "$p"
    run_is 0 "a key comes a hundred times, $policy" "$RAPIDBYTE" run "$p" --output json
    is "$(written)|$(dst_sql 'SELECT count(*), sum(v) FROM raw.ten')" "10 0|10|9955" "$policy: ten rows are written"
    is "$(dst_sql "SELECT rows FROM _rapidbyte.loads WHERE stream = 'ten' ORDER BY seq DESC LIMIT 1")" 10 "$policy: the ledger counts them"
done

# The unique key that an upsert needs is made, where the rows permit it.
dst_sql 'DROP TABLE raw.ten; CREATE TABLE raw.ten (k int, v int); INSERT INTO raw.ten VALUES (1, 0), (1, 1), (77, 0)'
run_is 5 "rows with the same key are there" "$RAPIDBYTE" run "$p"
like "$stderr" 'no unique constraint on the primary key \("k"\), and rows that are there do not permit one: Key \(k\)=\(1\) is duplicated' "an example is named"
is "$(dst_sql 'SELECT count(*) FROM raw.ten')" 3 "nothing is altered"
dst_sql 'DELETE FROM raw.ten WHERE v = 1'
run_is 0 "an index is made" "$RAPIDBYTE" run "$p"
is "$(dst_sql "SELECT count(*), (SELECT count(*) FROM pg_index WHERE indrelid = 'raw.ten'::regclass AND indisunique) FROM raw.ten")" "11|1" "by which the rows are upserted"
run_is 0 "and once only" "$RAPIDBYTE" run "$p"
is "$(dst_sql "SELECT count(*) FROM pg_index WHERE indrelid = 'raw.ten'::regclass")" 1 "there is one index"
done_testing

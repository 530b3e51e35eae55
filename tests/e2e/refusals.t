#!/bin/bash
# What run refuses before its first row, check refuses: the same words, the same exit code; and it changes nothing.
. "$(dirname "$0")/../lib/tap.sh"
. tests/lib/agree.sh

agree_begin

# ---- Keys.
case_of "$keyed" "CREATE TABLE t (id int, v text); INSERT INTO t VALUES (7, 'a'), (7, 'b')"
STREAMS='- { name: t }' write_mode=upsert document
agree 5 'no unique constraint.*is duplicated' "upsert into a table without a unique key"
case_of "$keyed" 'GRANT ALL ON SCHEMA raw, _rapidbyte TO etl; CREATE TABLE t (id int, v text); GRANT ALL ON t TO etl'
STREAMS='- { name: t }' write_mode=upsert document etl
agree 4 'only a member of its owner may make one' "upsert into such a table of another role"
case_of 'CREATE TABLE t (id int, v text)' ''
agree 4 'needs a primary key' "upsert without a key at the source"
case_of 'CREATE TABLE t (id json, v text)' ''
STREAMS='- { name: t, primary_key: [id] }' write_mode=upsert document
agree 5 'no default operator class' "upsert by a key that has no order"

# ---- Types.
case_of "CREATE TYPE mood AS ENUM ('a', 'b', 'c'); CREATE TABLE t (m mood)" "CREATE TYPE mood AS ENUM ('a', 'b')"
STREAMS='- { name: t, schema_evolution: { type_change: fail } }' write_mode=append document
agree 5 'labels' "an enum label that the source has more"
case_of "CREATE TYPE mood AS ENUM ('a'); CREATE SCHEMA two; CREATE TYPE two.mood AS ENUM ('b'); CREATE TABLE t (m mood, n two.mood)" ''
agree 5 'labels' "enums of one name in two schemas"
case_of "CREATE TYPE u AS ENUM ('a'); CREATE TABLE t (m u)" ''
STREAMS='- { name: t, destination_table: u }' write_mode=append document
agree 5 'already exists' "a type and a table of one name"
case_of "CREATE VIEW v AS SELECT '1'::xid AS xmin" ''
STREAMS='- { name: v }' write_mode=append document
agree 5 'system column' "a view with a column xmin"
case_of "CREATE COLLATION de FROM \"C\"; CREATE DOMAIN d AS text COLLATE de; CREATE TYPE c AS (x d); CREATE TABLE t (v text COLLATE de); CREATE TABLE tc (v c)" ''
STREAMS='- { name: t }' write_mode=append document
agree 5 'collation .* does not exist' "a collation that is missing"
STREAMS='- { name: tc }' write_mode=append document
agree 5 'collation .* does not exist' "a collation that is missing in a domain in a composite"
if has_extensions 12 citext lo; then
    case_of 'CREATE EXTENSION citext; CREATE DOMAIN e AS citext; CREATE TABLE t (v citext); CREATE TABLE td (v e)' ''
    STREAMS='- { name: t }' write_mode=append document
    agree 5 'extension "citext"' "an extension that is missing"
    STREAMS='- { name: td }' write_mode=append document
    agree 5 'extension "citext"' "an extension that is missing in a domain"
    case_of "CREATE EXTENSION lo; CREATE TABLE t (id int, doc lo); INSERT INTO t VALUES (1, lo_from_bytea(0, 'x'))" 'CREATE EXTENSION lo'
    STREAMS='- { name: t }' write_mode=append document
    moves "a column of type lo"
    like "$checked" 'column "doc" \(.*lo\) moves as a number: a large object of that number does not' "a column of type lo: said"
    same t "a column of type lo: its number"
fi

# ---- The source.
case_of 'CREATE TABLE t AS SELECT 1 AS id; CREATE MATERIALIZED VIEW m AS SELECT * FROM t WITH NO DATA; CREATE VIEW v AS SELECT * FROM m' ''
for name in m v; do
    STREAMS="- { name: $name }" write_mode=append document
    agree 3 'has not been populated' "a materialized view that was never filled, by $name"
done
case_of 'CREATE TABLE hidden (id int); CREATE VIEW v AS SELECT * FROM hidden; ALTER VIEW v OWNER TO other' ''
STREAMS='- { name: v }' write_mode=append document
agree 3 'permission denied for table hidden' "a view whose owner may not read"
case_of "$keyed; ALTER TABLE t ENABLE ROW LEVEL SECURITY" ''
STREAMS='- { name: t }' write_mode=append document postgres reader
agree 3 'row-level security' "rows that are filtered at the source"

# ---- Rights at the destination.
pg_sql 'REVOKE TEMPORARY ON DATABASE dst FROM PUBLIC'
case_of "$keyed; CREATE TABLE a (id int PRIMARY KEY, v int[])" 'CREATE TABLE t (id int PRIMARY KEY, v text)'
STREAMS='- { name: t }' write_mode=append document etl
agree 4 'permission denied for table t' "no INSERT"
load_method=insert STREAMS='- { name: t }' write_mode=append document etl
agree 4 'permission denied for table t' "no INSERT, by INSERT"
STREAMS='- { name: t, replace_method: truncate }' write_mode=replace document etl
agree 4 'no right to truncate' "no TRUNCATE"
STREAMS='- { name: t }' write_mode=replace document etl
agree 4 'only by a member of' "a swap of another role's table"
dst_sql 'GRANT ALL ON raw.t TO etl; ALTER TABLE raw.t DROP COLUMN v'
STREAMS='- { name: t }' write_mode=append document etl
agree 4 'only a member of its owner may do' "a column to add to another role's table"
dst_sql 'DROP TABLE raw.t'
STREAMS='- { name: t }' write_mode=upsert document etl
agree 4 'temporary tables' "no TEMPORARY, upsert"
load_method=insert STREAMS='- { name: a }' write_mode=append document etl
agree 4 'temporary tables' "no TEMPORARY, arrays by INSERT"
pg_sql 'GRANT TEMPORARY ON DATABASE dst TO PUBLIC; ALTER ROLE etl SET default_transaction_read_only = on'
STREAMS='- { name: t }' write_mode=append document etl
agree 4 'default_transaction_read_only' "a role that may only read"
pg_sql 'ALTER ROLE etl RESET default_transaction_read_only; ALTER ROLE etl CONNECTION LIMIT 1'
EXTRA='resources: { max_retries: 0 }' STREAMS='- { name: t }' write_mode=append document etl
agree 4 'too many connections' "a role with one connection"
pg_sql 'ALTER ROLE etl CONNECTION LIMIT -1'
case_of "$keyed" 'CREATE TABLE t (id int PRIMARY KEY, v text); ALTER TABLE t ENABLE ROW LEVEL SECURITY; GRANT ALL ON t TO etl'
STREAMS='- { name: t }' write_mode=append document etl
agree 4 'row-level security' "COPY under row-level security"

# ---- Tables that others depend on.
case_of "$keyed" 'CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE child (id int REFERENCES t)'
STREAMS='- { name: t }' write_mode=replace document
agree 5 "would not keep.* write_mode: upsert" "a swap of a table that a foreign key references"
STREAMS='- { name: t, replace_method: truncate }' write_mode=replace document
agree 5 'referenced by foreign key child_id_fkey.* write_mode: upsert' "TRUNCATE of such a table"
STREAMS='- { name: t, write_mode: upsert }' write_mode=replace document
run_is 0 "the way that the hint names: check" "$RAPIDBYTE" check "$p"
run_is 0 "the way that the hint names: run" "$RAPIDBYTE" run "$p"

# ---- Foreign keys in a circle, which no row can be the first of.
hens="CREATE TABLE hen (id int PRIMARY KEY, egg int); CREATE TABLE egg (id int PRIMARY KEY, nest int); CREATE TABLE nest (id int PRIMARY KEY, hen int);
    INSERT INTO hen VALUES (1, 1); INSERT INTO egg VALUES (1, 1); INSERT INTO nest VALUES (1, 1); CREATE TABLE aside AS SELECT 1 AS id"
circle='CREATE TABLE hen (id int PRIMARY KEY, egg int NOT NULL); CREATE TABLE egg (id int PRIMARY KEY, nest int NOT NULL);
    CREATE TABLE nest (id int PRIMARY KEY, hen int NOT NULL REFERENCES hen DEFERRABLE INITIALLY DEFERRED);
    ALTER TABLE hen ADD FOREIGN KEY (egg) REFERENCES egg DEFERRABLE INITIALLY DEFERRED; ALTER TABLE egg ADD FOREIGN KEY (nest) REFERENCES nest'
STREAMS='- { name: hen }
- { name: egg }
- { name: nest }'
for mode in append upsert replace; do
    case_of "$hens" "$circle"
    write_mode=$mode document
    agree 5 '"raw"."hen" can.t get its first row: foreign key hen_egg_fkey refers to raw.egg, which refers back.*drop one of the foreign keys.*or drop the NOT NULL' "a circle of foreign keys ($mode)"
    like "$(python3 -c 'import json, sys; print([s["fault"]["error"]["code"] for s in json.load(sys.stdin)["streams"] if s["fault"]])' <"$TAP_STDOUT")" \
        "^(\['CIRCULAR_REFERENCE', 'CIRCULAR_REFERENCE', 'CIRCULAR_REFERENCE'\])$" "a circle of foreign keys ($mode): each of its tables"
done
STREAMS=$STREAMS$'\n- { name: aside }' write_mode=append document
run "$RAPIDBYTE" run "$p"
is "$status|$(dst_sql 'SELECT count(*) FROM raw.aside')" '8|1' "a circle of foreign keys: another stream is loaded"
dst_sql 'ALTER TABLE raw.hen DROP CONSTRAINT hen_egg_fkey'
write_mode=upsert document
moves "the way that the hint names: one of the keys is dropped"
dst_sql 'ALTER TABLE raw.hen ADD FOREIGN KEY (egg) REFERENCES raw.egg'
moves "a circle of foreign keys whose tables have rows"
case_of "$hens" "$circle; ALTER TABLE nest ALTER hen DROP NOT NULL"
src_sql 'UPDATE nest SET hen = NULL'
STREAMS=$'- { name: nest }\n- { name: egg }\n- { name: hen }' document
moves "the other way that the hint names: NULL in one of them"
# What is no such circle.
for other in 'ALTER TABLE hen DISABLE TRIGGER ALL; ALTER TABLE egg DISABLE TRIGGER ALL; ALTER TABLE nest DISABLE TRIGGER ALL' \
    'ALTER ROLE postgres IN DATABASE dst SET session_replication_role = replica'; do
    case_of "$hens" "$circle; $other"
    moves "a circle that holds no row back: ${other:0:24}"
    for table in hen egg nest; do same "$table" "a circle that holds no row back: ${other:0:24}: $table"; done
    dst_sql 'ALTER ROLE postgres IN DATABASE dst RESET session_replication_role'
done
case_of "$hens" "$circle; CREATE FUNCTION brings() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO raw.nest VALUES (1, 1); INSERT INTO raw.egg VALUES (1, 1); RETURN NEW; END';
    CREATE TRIGGER brings BEFORE INSERT ON hen FOR EACH ROW EXECUTE FUNCTION brings()"
STREAMS='- { name: hen }' document
moves "a circle that a trigger closes"
same hen "a circle that a trigger closes: hen"
case_of "CREATE TABLE hen (id int PRIMARY KEY, part int, egg int NOT NULL); CREATE TABLE egg (id int PRIMARY KEY, hen int NOT NULL); INSERT INTO hen VALUES (1, 1, 5); INSERT INTO egg VALUES (5, 1)" \
    "CREATE TABLE egg (id int PRIMARY KEY, hen int NOT NULL) PARTITION BY RANGE (id); CREATE TABLE egg_1 PARTITION OF egg FOR VALUES FROM (0) TO (10); CREATE TABLE egg_2 PARTITION OF egg FOR VALUES FROM (10) TO (20);
     CREATE TABLE hen (id int PRIMARY KEY, part int, egg int NOT NULL); INSERT INTO egg VALUES (5, 1); INSERT INTO hen VALUES (1, 1, 5); ALTER TABLE egg ADD FOREIGN KEY (hen) REFERENCES hen; ALTER TABLE hen ADD FOREIGN KEY (egg) REFERENCES egg"
STREAMS='- { name: hen }
- { name: egg }' write_mode=upsert document
moves "a circle over a partitioned table that has rows in one partition"
unlike "$checked$stderr" 'hen_egg_fkey' "a circle over a partitioned table that has rows in one partition: nothing is to be said"
dst_sql 'TRUNCATE raw.hen, raw.egg'
agree 5 '"raw"."hen" can.t get its first row' "a circle over a partitioned table"
# Where it depends on the rows.
case_of "CREATE TABLE hen (id int PRIMARY KEY, egg int); CREATE TABLE egg (id int PRIMARY KEY, hen int); INSERT INTO hen VALUES (1, NULL); INSERT INTO egg VALUES (5, 1)" \
    'CREATE TABLE hen (id int PRIMARY KEY, egg int); CREATE TABLE egg (id int PRIMARY KEY, hen int REFERENCES hen); ALTER TABLE hen ADD FOREIGN KEY (egg) REFERENCES egg'
moves "a circle that no row closes"
like "$checked" 'a run would load its rows before those of raw.egg, to which its foreign key hen_egg_fkey refers' "a circle that no row closes: check says so"
like "$stderr" "stream 'hen': foreign keys form a circle.*has to load its rows before those of raw.egg, to which its foreign key hen_egg_fkey refers" "a circle that no row closes: run says so"
moves "a circle that no row closes, again"
unlike "$checked$stderr" 'hen_egg_fkey' "a circle that no row closes, again: nothing is to be said"

# ---- TRUNCATE of a table that the source reads in the same database, however it gets to it.
below="CREATE SCHEMA two; CREATE TABLE two.t (id int, v text); INSERT INTO two.t VALUES (1, 'a');
    CREATE TABLE two.p (id int, v text) PARTITION BY LIST (id); CREATE TABLE two.p_1 PARTITION OF two.p FOR VALUES IN (1);
    CREATE TABLE two.c (id int, v text); CREATE TABLE two.d () INHERITS (two.c);
    CREATE VIEW inner_view AS SELECT * FROM two.t; CREATE VIEW v AS SELECT i.id, i.v FROM inner_view i;
    CREATE VIEW of_part AS SELECT * FROM two.p_1; CREATE VIEW of_whole AS SELECT * FROM two.p; CREATE VIEW of_child AS SELECT * FROM two.d;
    CREATE TABLE plain AS SELECT 1 AS id, 'b' AS v; CREATE VIEW other AS SELECT * FROM plain"
same_database() {
    document
    sed -i 's/database: dst, schema: raw/database: src, schema: two/' "$p"
}
case_of "$below" 'CREATE TABLE t (id int, v text)'
write_mode=replace DEST_EXTRA='replace_method: truncate'
for read in "v t view" "of_part p view" "of_whole p view" "of_whole p_1 view" "of_child c view"; do
    read -r name table kind <<<"$read"
    STREAMS="- { name: $name, destination_table: $table }" same_database
    agree 5 "reading $kind \"public\".\"$name\" locks table \"two\".\"$table\".*replace_method: swap" "TRUNCATE of $table below the view $name"
done
STREAMS='- { name: plain, destination_table: t, where: "EXISTS (SELECT FROM two.t)" }' same_database
agree 5 'reading table "public"."plain" locks table "two"."t"' "TRUNCATE of a table that where selects from"
is "$(src_sql 'SELECT count(*) FROM two.t')" 1 "TRUNCATE below a view: the rows are there"
# What does not wait: another table of that name, another database, another table, a swap.
pg_sql 'CREATE DATABASE copy TEMPLATE src' # with the same numbers
STREAMS='- { name: v, destination_table: t }' same_database
sed -i 's/database: src, schema: two/database: copy, schema: two/' "$p"
moves "TRUNCATE of a table of the same number in another database"
STREAMS='- { name: other, destination_table: t }' same_database
moves "TRUNCATE of a table that the view does not read"
is "$(src_sql 'SELECT v FROM two.t')" b "TRUNCATE of a table that the view does not read: it arrived"
src_sql 'CREATE TABLE public.p AS SELECT 1 AS id, $$c$$ AS v; CREATE VIEW of_p AS SELECT * FROM public.p'
STREAMS='- { name: of_p, destination_table: p }' same_database
moves "TRUNCATE of a table that another schema has by the name of what is read"
src_sql 'INSERT INTO two.t SELECT g, g FROM generate_series(1, 100000) g'
DEST_EXTRA='replace_method: swap' STREAMS='- { name: v, destination_table: t }' same_database
moves "the way that the hint names: a swap below a view"
is "$(src_sql 'SELECT count(*) FROM two.t')" 100001 "a swap below a view: every row is there once"
# Whoever else has the table.
case_of "$keyed" 'CREATE TABLE t (id int PRIMARY KEY, v text)'
PGAPPNAME=application dst_sql 'BEGIN; SELECT FROM raw.t; SELECT pg_sleep(600)' >/dev/null 2>&1 &
# shellcheck disable=SC2317,SC2329 # wait_until is given it
held_by() { [[ $(pg_sql "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'application' AND wait_event = 'PgSleep'") == 1 ]]; }
wait_until 30 held_by || bail "the application does not hold the table"
STREAMS='- { name: t, replace_method: truncate }' EXTRA='timeouts: { lock: 1s }
resources: { max_retries: 0 }' document
run "$RAPIDBYTE" run --output json "$p"
like "$(said)" 'replace_method: truncate: .*lock timeout.*process [0-9]+ of the server \(application, transaction of [0-9: -]+ UTC\) has locked raw\.t' "TRUNCATE of a table that is locked: by whom"
pg_sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'application'" >/dev/null
unset DEST_EXTRA EXTRA

# ---- Policies.
for policy in 'new_column: fail|no column "v"|CREATE TABLE t (id int PRIMARY KEY)' \
    'removed_column: fail|not in the stream|CREATE TABLE t (id int PRIMARY KEY, v text, w int)' \
    'type_change: fail|is of type integer|CREATE TABLE t (id int PRIMARY KEY, v int)' \
    'nullability_change: fail|may be NULL|CREATE TABLE t (id int PRIMARY KEY, v text NOT NULL)'; do
    case_of "$keyed" "${policy##*|}"
    said=${policy#*|}
    STREAMS="- { name: t, schema_evolution: { ${policy%%|*} } }" write_mode=append document
    agree 5 "${said%%|*}" "${policy%%|*}"
done

# ---- What is there and can't be loaded.
case_of "$keyed" 'CREATE VIEW t AS SELECT 1 AS id'
STREAMS='- { name: t }' write_mode=append document
agree 5 'is not a table' "a view of the table's name"
case_of "$keyed" 'CREATE UNLOGGED TABLE t (id int, v text)'
agree 5 'unlogged' "an unlogged table"
case_of "$keyed" ''
dst_sql 'DROP SCHEMA _rapidbyte; CREATE SCHEMA _rapidbyte AUTHORIZATION other'
STREAMS='- { name: t }' write_mode=append document etl
agree 4 'of role other' "a ledger of somebody else"

# ---- Transforms: a column that one of two streams lacks.
case_of "$keyed; CREATE TABLE w (id int)" ''
EXTRA='transforms: [ { use: transform-mask, config: { columns: [v] } } ]' STREAMS=$'- { name: t }\n- { name: w }' write_mode=append document
run_is 5 "a transform's column that one of two streams lacks: check" "$RAPIDBYTE" check --output json "$p"
checked=$(said)
like "$checked" "^5 stream 'w': .*no column 'v'" "a transform's column that one of two streams lacks: check names it"
run_is 8 "a transform's column that one of two streams lacks: run" "$RAPIDBYTE" run --output json "$p"
is "$(said)" "8${checked:1}" "a transform's column that one of two streams lacks: run says the same"
is "$(dst_sql 'SELECT count(*), count(v) FROM raw.t')" '5|0' "a transform's column that one of two streams lacks: the other arrives"
EXTRA='transforms: [ { use: transform-mask, config: { columns: [v] } } ]' STREAMS='- { name: w }' write_mode=append document
agree 5 "no column 'v'" "a transform's column that is missing"

# ---- What the destination fills by itself.
case_of 'CREATE TABLE t (id int PRIMARY KEY, a int, total int); INSERT INTO t VALUES (1, 2, 99)' \
    'CREATE TABLE t (id int PRIMARY KEY, a int, total int GENERATED ALWAYS AS (a + 3) STORED)'
for mode in append upsert replace 'replace, replace_method: truncate'; do
    STREAMS="- { name: t, write_mode: $mode }" document
    agree 5 'column "total" of table "t" is generated.*columns' "a generated column that the stream has values for ($mode)"
done
STREAMS='- { name: t, columns: [id, a], write_mode: append }' document
moves "a generated column that is left out"
is "$(dst_sql 'SELECT total FROM raw.t')" 5 "a generated column that is left out is computed"
case_of 'CREATE TABLE t (id int PRIMARY KEY, a int, total int GENERATED ALWAYS AS (a + 3) STORED); INSERT INTO t VALUES (1, 2)' \
    'CREATE TABLE t (id int PRIMARY KEY, a int, total int GENERATED ALWAYS AS (a + 3) STORED)'
for mode in append upsert replace; do
    STREAMS="- { name: t, write_mode: $mode }" document
    moves "a column that is generated at both sides ($mode)"
    same t "a column that is generated at both sides is the same ($mode)"
done
identity='id int GENERATED ALWAYS AS IDENTITY, code text PRIMARY KEY, v int'
case_of 'CREATE TABLE t (id int, code text PRIMARY KEY, v int); INSERT INTO t VALUES (7, $$a$$, 1)' "CREATE TABLE t ($identity)"
STREAMS='- { name: t, write_mode: upsert }' document
agree 5 'column "id" of "raw"."t" is GENERATED ALWAYS AS IDENTITY.*SET GENERATED BY DEFAULT' "an identity that an upsert would set"
dst_sql 'ALTER TABLE "raw"."t" ALTER COLUMN "id" SET GENERATED BY DEFAULT'
moves "an identity as the hint says"
same t "an identity as the hint says: all is there"
dst_sql 'ALTER TABLE raw.t ALTER COLUMN id SET GENERATED ALWAYS'
STREAMS='- { name: t, columns: [code, v], primary_key: [code], write_mode: upsert }' PIPELINE=without document
moves "an identity that is left out"
STREAMS='- { name: t, primary_key: [id], write_mode: upsert }' PIPELINE=by_identity document
moves "an identity that is the key"
same t "an identity that is the key: all is there"
STREAMS='- { name: t, write_mode: append }' PIPELINE=appended document
case_of 'CREATE TABLE t (id int, code text PRIMARY KEY, v int); INSERT INTO t VALUES (7, $$a$$, 1)' "CREATE TABLE t ($identity)"
moves "an identity and append"
same t "an identity and append: all is there"

# ---- What does not move, and is said.
case_of 'CREATE TABLE t (id int, doc oid)' ''
STREAMS='- { name: t }' write_mode=append document
run_is 0 "a column of type oid: check" "$RAPIDBYTE" check "$p"
like "$stdout" '^warning .*column "doc" \(oid\) moves as a number: a large object' "a column of type oid: said"
like "$stdout" 'sequences, comments, grants and large objects of the source do not' "what does not move: said"
is "$(dst_sql 'SELECT count(*) FROM pg_namespace, pg_class WHERE relnamespace = pg_namespace.oid AND nspname IN ($$raw$$, $$_rapidbyte$$)')" 0 "check leaves nothing, also of the first run"
agree_end
done_testing

#!/bin/bash
# What a run says is loaded is in the table that the document names, whatever changed between runs.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pg_start main || bail "no PostgreSQL"
databases
p=$TAP_DIR/p.yaml
src_sql "CREATE TABLE users (id int PRIMARY KEY, name text); INSERT INTO users SELECT g, 'n' || g FROM generate_series(1, 100) g;
    CREATE TABLE bad (a int); INSERT INTO bad VALUES (1);
    CREATE TABLE inc (id int, c int); INSERT INTO inc SELECT g, nullif(g, 10) FROM generate_series(1, 10) g"

reset() {
    dst_sql 'SET client_min_messages = warning; DROP SCHEMA IF EXISTS raw CASCADE; DROP SCHEMA IF EXISTS _rapidbyte CASCADE; CREATE SCHEMA raw'
    rm -f "$TAP_DIR"/state.db*
}
rows() { dst_sql "SELECT count(*) FROM raw.$1"; }

# A load is resumed by a document that names another table: the receipt is of the old one.
reset
dst_sql 'CREATE TABLE raw.bad (a text); CREATE TABLE raw.other (id int, name text)'
STREAMS='- { name: users }
- { name: bad }' pipeline "$p"
run_is 8 "one of two streams fails" "$RAPIDBYTE" run "$p"
STREAMS='- { name: users, destination_table: other }
- { name: bad, destination_table: good }' pipeline "$p"
run_is 0 "resumed, with other tables" "$RAPIDBYTE" run "$p"
is "$(rows users) $(rows other) $(rows good)" "100 100 1" "the other table has the rows, and the first one has them once"

# A cursor is of the table that has the rows below it.
reset
inc='name: inc, sync_mode: incremental, cursor_field: c'
STREAMS="- { $inc }" pipeline "$p"
run_is 0 "incremental" "$RAPIDBYTE" run "$p"
dst_sql 'CREATE TABLE raw.other (id int, c int)'
STREAMS="- { $inc, destination_table: other }" pipeline "$p"
run_is 0 "incremental, into another table, which is empty" "$RAPIDBYTE" run "$p"
is "$(rows other)" 10 "it gets all rows"
src_sql 'INSERT INTO inc VALUES (11, 11)'
STREAMS="- { $inc }" pipeline "$p"
run_is 0 "incremental, into the first one again" "$RAPIDBYTE" run "$p"
is "$(rows inc)" 11 "it goes on where that one stood"
dst_sql 'ALTER TABLE raw.inc RENAME TO renamed'
STREAMS="- { $inc, destination_table: renamed }" pipeline "$p"
run_is 5 "incremental, the table was renamed" "$RAPIDBYTE" run "$p"
like "$stderr" 'cursor was taken for table raw\.' "said by name"
is "$(rows renamed)" 11 "its rows are not doubled"

# The destination's clock is set back between loads: the last cursor is still the last.
reset
STREAMS="- { $inc }" pipeline "$p"
run_is 0 "before the clock is set back" "$RAPIDBYTE" run "$p"
dst_sql "UPDATE _rapidbyte.loads SET committed = committed + interval '1 hour'"
for id in 12 13; do
    src_sql "INSERT INTO inc VALUES ($id, $id)"
    run_is 0 "after the clock was set back, row $id" "$RAPIDBYTE" run "$p"
done
same inc "no row twice"

# A filter that changes would leave rows below the cursor unread.
reset
STREAMS="- { $inc, where: 'id > 5' }" pipeline "$p"
run_is 0 "with a filter" "$RAPIDBYTE" run "$p"
STREAMS="- { $inc }" pipeline "$p"
run_is 3 "without the filter" "$RAPIDBYTE" run "$p"
like "$stderr" 'the filter' "said by name"
reset
STREAMS="- { $inc, cursor_nulls: exclude }" pipeline "$p"
run_is 0 "without rows whose cursor is NULL" "$RAPIDBYTE" run "$p"
STREAMS="- { $inc }" pipeline "$p"
run_is 3 "with them" "$RAPIDBYTE" run "$p"
like "$stderr" 'cursor_nulls' "said by name"

# Rows of a partition that is attached, or filled anew, may lie below the cursor.
reset
src_sql "CREATE TABLE parts (id int, c int) PARTITION BY LIST (id); CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1); INSERT INTO parts SELECT 1, 100000 + g FROM generate_series(1, 50) g;
    CREATE TABLE parts_2 (id int, c int); INSERT INTO parts_2 VALUES (2, 1)"
STREAMS='- { name: parts, sync_mode: incremental, cursor_field: c }' pipeline "$p"
run_is 0 "partitions" "$RAPIDBYTE" run "$p"
src_sql "CREATE TABLE parts_3 PARTITION OF parts FOR VALUES IN (3); CREATE TABLE parts_4 PARTITION OF parts FOR VALUES IN (4); INSERT INTO parts VALUES (3, 200000), (1, 200001), (3, 100001)"
run_is 0 "a new partition, with new rows" "$RAPIDBYTE" run "$p"
same parts "a new partition: all rows, once"
src_sql "ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES IN (2)"
run_is 3 "a partition attached with rows of before" "$RAPIDBYTE" run "$p"
like "$stderr" 'parts. does not go with its partition "public"."parts_2"' "it is named"
src_sql 'UPDATE parts SET c = 300000 WHERE id = 2'
run_is 0 "a partition attached whose rows are new" "$RAPIDBYTE" run "$p"
same parts "a partition attached: all rows, once"
src_sql 'CREATE ROLE of_parent LOGIN; GRANT SELECT ON parts TO of_parent; TRUNCATE parts_3; INSERT INTO parts VALUES (3, 5)'
dst_sql 'DELETE FROM raw.parts WHERE id = 3'
sed -i '/database: src/s/user: postgres, password: postgres/user: of_parent, password: x/' "$p"
run_is 3 "a partition filled anew, which can be read through its parent alone" "$RAPIDBYTE" run "$p"
like "$stderr" 'its partition "public"."parts_3"' "it is named, too"
src_sql 'TRUNCATE parts_3'
run_is 0 "a partition that is empty" "$RAPIDBYTE" run "$p"
same parts "a partition that is empty: all rows, once"
src_sql 'CREATE TABLE heir () INHERITS (inc); INSERT INTO heir VALUES (-1, -1)'

reset
STREAMS="- { $inc }" pipeline "$p"
run_is 0 "a table with an heir" "$RAPIDBYTE" run "$p"
src_sql 'CREATE TABLE second_heir () INHERITS (inc); INSERT INTO second_heir VALUES (-20000, -20000)'
run_is 3 "another heir" "$RAPIDBYTE" run "$p"
like "$stderr" 'its partition "public"."second_heir"' "the heir is named"
src_sql 'DROP TABLE second_heir'

# Tables that would not hold what the ledger says of them.
reset
dst_sql 'CREATE UNLOGGED TABLE raw.users (id int, name text)'
STREAMS='- { name: users }' pipeline "$p"
run_is 5 "an unlogged table" "$RAPIDBYTE" run "$p"
like "$stderr" 'unlogged' "said by name"
dst_sql 'DROP TABLE raw.users; CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;
    CREATE TABLE raw.users (id int, name text) PARTITION BY RANGE (id);
    CREATE TABLE raw.users_1 PARTITION OF raw.users FOR VALUES FROM (0) TO (50);
    CREATE FOREIGN TABLE raw.users_2 PARTITION OF raw.users FOR VALUES FROM (50) TO (1000) SERVER s'
run_is 5 "a foreign partition" "$RAPIDBYTE" run "$p"
like "$stderr" 'foreign table' "said by name"

# What another role's pipeline left behind does not stop this one.
reset
dst_sql 'CREATE ROLE second LOGIN; GRANT CREATE ON DATABASE dst TO second; GRANT ALL ON SCHEMA raw TO second'
STREAMS='- { name: users }' pipeline "$p"
run_is 0 "the first role makes the ledger" "$RAPIDBYTE" run "$p"
dst_sql "CREATE TABLE _rapidbyte.s_0123456789abcdef (a int); INSERT INTO _rapidbyte.staging VALUES ('s_0123456789abcdef', 'x', 'elsewhere', 's');
    GRANT ALL ON SCHEMA _rapidbyte TO second; GRANT ALL ON ALL TABLES IN SCHEMA _rapidbyte TO second"
STREAMS='- { name: users, destination_table: theirs }' PIPELINE=theirs pipeline "$p"
sed -i 's/user: postgres, password: postgres, database: dst/user: second, password: second, database: dst/' "$p"
run_is 0 "a second role loads beside its staging" "$RAPIDBYTE" run "$p"
is "$(rows theirs)" 100 "its rows are there"

# A ledger that somebody else put there could run what they like as the role that loads.
for thief in 'CREATE SCHEMA _rapidbyte AUTHORIZATION third' 'CREATE SCHEMA _rapidbyte; GRANT ALL ON SCHEMA _rapidbyte TO third, second; SET ROLE third; CREATE TABLE _rapidbyte.loads (a int)'; do
    reset
    dst_sql "DO \$\$ BEGIN CREATE ROLE third; EXCEPTION WHEN duplicate_object THEN NULL; END \$\$; GRANT CREATE ON DATABASE dst TO third; $thief"
    run_is 4 "a ledger of a third role's" "$RAPIDBYTE" run "$p"
    like "$stderr" 'the ledger .* of role third' "a third role's: it is named"
    run_is 4 "a ledger of a third role's, check" "$RAPIDBYTE" check "$p"
    sed 's/user: second/user: postgres/' "$p" >"$TAP_DIR/super.yaml"
    run_is 4 "a ledger of a third role's, to a superuser" "$RAPIDBYTE" run "$TAP_DIR/super.yaml"
done
reset
dst_sql 'GRANT third TO second; CREATE SCHEMA _rapidbyte AUTHORIZATION third; GRANT ALL ON SCHEMA raw TO second'
run_is 0 "a ledger of a role that the second is a member of" "$RAPIDBYTE" run "$p"

# Triggers of the target: one that leaves rows out is found, one that talks about each row does not stop the load.
reset
src_sql "CREATE TABLE keyed (id int PRIMARY KEY, v text); INSERT INTO keyed VALUES (1, 'a'), (2, 'b'), (3, 'c');
    CREATE TABLE narrow (id int); INSERT INTO narrow SELECT generate_series(1, 300000)"
dst_sql "CREATE TABLE raw.keyed (id int PRIMARY KEY, v text);
    CREATE FUNCTION raw.leave_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN CASE WHEN NEW.id < 3 THEN NEW END; END';
    CREATE TRIGGER t BEFORE INSERT ON raw.keyed FOR EACH ROW EXECUTE FUNCTION raw.leave_out();
    CREATE TABLE raw.narrow (id int);
    CREATE FUNCTION raw.talk() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE WARNING ''%'', repeat(''w'', 500); RETURN NEW; END';
    CREATE TRIGGER t BEFORE INSERT ON raw.narrow FOR EACH ROW EXECUTE FUNCTION raw.talk()"
STREAMS='- { name: keyed, write_mode: upsert }' pipeline "$p"
run_is 5 "upsert, a trigger leaves a row out" "$RAPIDBYTE" run "$p"
like "$stderr" '1 of 3 rows upserted are not in the table' "said by number"
is "$(rows keyed)" 0 "nothing is committed"
dst_sql 'DROP TRIGGER t ON raw.keyed'
run_is 0 "upsert without the trigger" "$RAPIDBYTE" run "$p"
dst_sql 'CREATE TRIGGER t BEFORE UPDATE ON raw.keyed FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()'
src_sql "UPDATE keyed SET v = 'd' WHERE id = 2; INSERT INTO keyed VALUES (4, 'e')"
run_is 0 "upsert again, a trigger keeps back updates that change nothing" "$RAPIDBYTE" run "$p"
same keyed "all rows are there"
STREAMS='- { name: narrow }' EXTRA='timeouts: { idle: 5s }' pipeline "$p"
run_is 0 "a trigger warns of each row" "$RAPIDBYTE" run "$p"
is "$(rows narrow)" 300000 "all rows are there"

# A value that a coerced column has no room for is refused, not cut.
dst_sql 'CREATE TABLE raw.short (id int, v varchar(3)); CREATE TABLE raw.bits (id int, v bit(3))'
src_sql "CREATE TABLE short (id int, v text); INSERT INTO short VALUES (1, 'abc'); CREATE TABLE bits (id int, v varbit); INSERT INTO bits VALUES (1, '101')"
STREAMS='- { name: short, schema_evolution: { type_change: coerce } }
- { name: bits, schema_evolution: { type_change: coerce } }' pipeline "$p"
run_is 0 "coerced values that fit" "$RAPIDBYTE" run "$p"
same short "they are as they were"
same bits "bits are as they were"
src_sql "INSERT INTO short VALUES (2, 'abcdef'); INSERT INTO bits VALUES (2, '10111')"
run_is 5 "coerced values that do not fit" "$RAPIDBYTE" run "$p"
is "$(rows short) $(rows bits)" "1 1" "nothing is cut, nothing is committed"
done_testing

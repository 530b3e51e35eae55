#!/bin/bash
# verify: what is the same, what differs and where, what can't be compared.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pg_start main || bail "no PostgreSQL"
databases
p=$TAP_DIR/p.yaml
write_mode=replace

src_sql "CREATE TABLE items (id integer PRIMARY KEY, price numeric(12,2), at timestamptz, note text, cost money);
INSERT INTO items SELECT i, i / 7.0, '2024-01-01'::timestamptz + i * interval '1 hour', repeat('x', i % 40), i FROM generate_series(1, 3000) i;
CREATE TABLE pairs (a text COLLATE \"C\", b bigint, v double precision, PRIMARY KEY (a, b));
INSERT INTO pairs SELECT chr(97 + i % 26) || CASE WHEN i % 2 = 0 THEN 'É' ELSE '_' END, i, i / 3.0 FROM generate_series(1, 500) i;
CREATE TABLE keyless (v integer, w text);
INSERT INTO keyless SELECT i % 10, 'w' FROM generate_series(1, 100) i;
CREATE TABLE empty (id integer PRIMARY KEY);
CREATE TABLE \"t \"\"q\"\" r\" (\"t\" integer PRIMARY KEY, \"r\" text);
INSERT INTO \"t \"\"q\"\" r\" VALUES (1, NULL), (2, '')"
STREAMS='- { name: items }
- { name: pairs }
- { name: keyless }
- { name: empty }
- { name: "t \"q\" r" }'
EXTRA='resources: { parallelism: 3 }'
pipeline "$p"
run_is 0 "run" "$RAPIDBYTE" run "$p"

run_is 0 "verify: all the same" "$RAPIDBYTE" verify "$p"
like "$stdout" '^same +items: 3,000 rows' "items are the same"
like "$stdout" '^same +empty: 0 rows' "an empty table is the same"
is "$(grep -c '^same ' <<<"$stdout")" 5 "all five are"

# json <expression over d, the document>: of the last verify.
json() {
    python3 -c 'import json,sys; d = json.loads(sys.argv[1]); s = {x["name"]: x for x in d["streams"]}; print(eval(sys.argv[2]))' "$stdout" "$1"
}
verify_differs() {
    run_is 5 "$1" "$RAPIDBYTE" verify "$p" --streams "$2" --output json
    is "$(json "s['$2']['verdict']")" differs "$1: verdict"
}

dst_sql "UPDATE raw.items SET note = note || '.' WHERE id = 1777"
verify_differs "a changed value" items
is "$(json "s['items']['differences']")" "[{'from': ['1777'], 'to': ['1778'], 'source_rows': 1, 'destination_rows': 1}]" \
    "a changed value: exactly its row"
is "$(json "s['items']['key']")" "['id']" "by the key's name"
run_is 5 "the others are not touched by it" "$RAPIDBYTE" verify "$p"
like "$stdout" '^ +id from 1777 to before 1778: rows at the source 1, at the destination 1$' "text: the range"
is "$(grep -c '^same ' <<<"$stdout")" 4 "text: the other four are the same"

dst_sql "UPDATE raw.items SET note = left(note, -1) WHERE id = 1777; DELETE FROM raw.items WHERE id = 1"
verify_differs "a missing row" items
is "$(json "s['items']['differences']")" "[{'from': None, 'to': ['2'], 'source_rows': 1, 'destination_rows': 0}]" "a missing row: which"
is "$(json "(s['items']['source_rows'], s['items']['destination_rows'])")" "(3000, 2999)" "a missing row: counts"

dst_sql "INSERT INTO raw.items SELECT 1, 0.14, '2024-01-01 01:00+00', 'x', 1::money; INSERT INTO raw.items (id) VALUES (5000), (-5)"
verify_differs "extra rows" items
is "$(json "[(x['from'], x['to'], x['source_rows'], x['destination_rows']) for x in s['items']['differences']]")" \
    "[(None, ['2'], 1, 2), (['3000'], None, 1, 2)]" "extra rows: below and above the source's"

dst_sql "UPDATE raw.pairs SET v = v + 1e-9 WHERE b = 77"
verify_differs "a key of two columns" pairs
is "$(json "[x['from'] for x in s['pairs']['differences']]")" "$(src_sql "SELECT format('[[''%s'', ''77'']]', a) FROM pairs WHERE b = 77")" \
    "a key of two columns: which row"

dst_sql "UPDATE raw.keyless SET w = 'W' WHERE ctid = '(0,1)'"
verify_differs "no key" keyless
is "$(json "s['keyless']['differences']")" "[{'from': None, 'to': None, 'source_rows': 100, 'destination_rows': 100}]" "no key: the whole table"

# Mended again.
dst_sql "UPDATE raw.keyless SET w = 'w'"
run_is 0 "no key: mended" "$RAPIDBYTE" verify "$p" --streams keyless

# The destination's columns in another order, and one that the source has not.
dst_sql "DROP TABLE raw.items; CREATE TABLE raw.items (extra integer, note text, id integer, cost money, at timestamptz, price numeric)"
dst_sql "SET lc_monetary = 'C'; INSERT INTO raw.items SELECT 9, repeat('x', i % 40), i, i, '2024-01-01'::timestamptz + i * interval '1 hour', round(i / 7.0, 2) FROM generate_series(1, 3000) i"
dst_sql "ALTER DATABASE dst SET TimeZone = 'Asia/Tokyo'; ALTER DATABASE dst SET DateStyle = 'German'; ALTER DATABASE dst SET IntervalStyle = 'sql_standard'; ALTER DATABASE dst SET extra_float_digits = 0"
run_is 0 "other column order, no key at the destination, other settings" "$RAPIDBYTE" verify "$p" --streams items
dst_sql "INSERT INTO raw.items (price) VALUES (1)"
verify_differs "a row without a key" items
is "$(json "[(x['from'], x['destination_rows'] - x['source_rows']) for x in s['items']['differences']]")" "[(None, 1)]" "a row without a key: once, at the beginning"
dst_sql "DELETE FROM raw.items WHERE id IS NULL"

# Columns and rows that the document chooses.
# shellcheck disable=SC2034 # pipeline's
STREAMS='- { name: items, columns: [note, id], where: "id % 2 = 0" }'
pipeline "$p"
run_is 5 "where: the destination has more" "$RAPIDBYTE" verify "$p" --output json
is "$(json "(s['items']['source_rows'], s['items']['destination_rows'])")" "(1500, 3000)" "where: the source's rows are counted with it"
dst_sql "DELETE FROM raw.items WHERE id % 2 = 1; UPDATE raw.items SET price = 0"
run_is 0 "columns and where: the same" "$RAPIDBYTE" verify "$p"

# What is not there, what can't be.
dst_sql "ALTER TABLE raw.items DROP COLUMN note"
run_is 5 "a missing column" "$RAPIDBYTE" verify "$p"
like "$stdout" '^FAILED +items: .*"raw"."items" has no column "note"' "a missing column is named"
dst_sql "DROP TABLE raw.items"
run_is 5 "a missing table" "$RAPIDBYTE" verify "$p"
like "$stdout" '^FAILED +items: .*the destination has no table "raw"."items"' "a missing table is named"
# shellcheck disable=SC2034 # pipeline's
STREAMS='- { name: nowhere }
- { name: empty }'
pipeline "$p"
run_is 3 "a table that the source has not" "$RAPIDBYTE" verify "$p"
like "$stdout" '^FAILED +nowhere' "it is named"
like "$stdout" '^same +empty' "the others are compared"
pg_sql "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"
PG_DATABASE=latin pg_sql "CREATE SCHEMA raw; CREATE TABLE raw.empty (id integer)"
sed -i 's/database: dst/database: latin/' "$p"
run_is 2 "another encoding" "$RAPIDBYTE" verify "$p" --streams empty
like "$stdout" 'encoded in UTF8.*LATIN1' "both encodings are named"

done_testing

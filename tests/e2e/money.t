#!/bin/bash
# Money between databases whose lc_monetary has other fractions: the same amount arrives, or none does.
# shellcheck disable=SC2119
. "$(dirname "$0")/../lib/tap.sh"
export LOCPATH=$TAP_DIR/locales
mkdir "$LOCPATH"
for language in ja_JP en_US ar_KW; do
    localedef --inputfile="$language" --charmap=UTF-8 "$LOCPATH/$language.UTF-8" 2>"$TAP_DIR/localedef" ||
        bail "localedef $language: $(<"$TAP_DIR/localedef") (./setup installs the package locales)"
done
chmod -R a+rX "$TAP_DIR"
. tests/lib/agree.sh
agree_begin
# locales <source> <destination>: of yen (0 digits after the point), dollars (2) or dinars (3).
locales() {
    pg_sql "ALTER DATABASE src SET lc_monetary = '$1.UTF-8'" && pg_sql "ALTER DATABASE dst SET lc_monetary = '$2.UTF-8'"
}
amounts() { "$1" "SELECT string_agg(trim_scale(m::numeric)::text, ' ' ORDER BY id) FROM $2"; }

for load_method in copy insert; do
    for mode in append upsert replace; do
        for target in '' 'CREATE TABLE t (id int PRIMARY KEY, m money)'; do
            what="$mode, $load_method, ${target:+an old table}${target:-a new one}"
            what=${what%%CREATE*}
            locales ja_JP en_US
            case_of 'CREATE TABLE t (id int PRIMARY KEY, m money); INSERT INTO t VALUES (1, 1234), (2, -5), (3, NULL), (4, 0)' "$target"
            STREAMS="- { name: t, write_mode: $mode }" document
            moves "yen to dollars ($what)"
            is "$(amounts dst_sql raw.t)" '1234 -5 0' "yen to dollars: the amounts ($what)"
        done
    done
    locales en_US ja_JP
    case_of 'CREATE TABLE t (id int PRIMARY KEY, m money); INSERT INTO t VALUES (1, 1234), (2, -5)' ''
    STREAMS='- { name: t }' document
    moves "dollars without cents to yen ($load_method)"
    is "$(amounts dst_sql raw.t)" '1234 -5' "dollars without cents to yen: the amounts ($load_method)"
    src_sql 'INSERT INTO t VALUES (3, 12.34)'
    STREAMS='- { name: t, write_mode: replace }' PIPELINE=cents document
    run_is 5 "cents to yen ($load_method)" "$RAPIDBYTE" run "$p"
    like "$stderr" 'row 3 \(id = 3\): column "m": 12.34 has more than 0 digits after the point' "cents to yen: the row is named ($load_method)"
    is "$(amounts dst_sql raw.t)" '1234 -5' "cents to yen: nothing arrives ($load_method)"
    DEST_EXTRA='on_data_error: skip' STREAMS='- { name: t, write_mode: replace }' PIPELINE=skipped document
    run_is 0 "cents to yen, skipped ($load_method)" "$RAPIDBYTE" run "$p"
    is "$(amounts dst_sql raw.t)" '1234 -5' "cents to yen, skipped: the other rows ($load_method)"
    locales ja_JP ar_KW
    src_sql "TRUNCATE t; INSERT INTO t VALUES (1, 9223372036854775807::bigint), (2, 7)"
    PIPELINE=large DEST_EXTRA='on_data_error: skip' STREAMS='- { name: t, write_mode: replace }' document
    run_is 0 "an amount that is too large ($load_method)" "$RAPIDBYTE" run "$p"
    is "$(amounts dst_sql raw.t)" 7 "an amount that is too large is left out ($load_method)"

    # Within others.
    kinds="CREATE DOMAIN price AS money; CREATE TYPE item AS (id int, m money); CREATE TYPE span AS RANGE (subtype = money);
        CREATE TABLE t (id int PRIMARY KEY, m price, ms money[], i item, s span, d price[]);
        INSERT INTO t VALUES (1, 1234, ARRAY['1'::money, NULL], (1, '12'::money), span('1', '2'), ARRAY['3'::price])"
    locales ja_JP ja_JP
    case_of "$kinds" ''
    STREAMS='- { name: t }' document
    moves "money within others, of the same digits ($load_method)"
    is "$(dst_sql 'SELECT t FROM raw.t')" "$(src_sql 'SELECT t FROM t')" "money within others, of the same digits: the row ($load_method)"
    locales ja_JP en_US
    case_of "$kinds" ''
    for column in ms i s d; do
        STREAMS="- { name: t, columns: [id, $column] }" document
        agree 5 "column \"$column\".*money has 0 digits after the point at the source and 2 here .lc_monetary.*within another type.*lc_monetary" "yen in $column ($load_method)"
    done
    case_of 'CREATE TABLE t (id int PRIMARY KEY, m money)' 'CREATE DOMAIN "a$rapidbyte$b" AS money; CREATE TABLE t (id int PRIMARY KEY, m "a$rapidbyte$b")'
    STREAMS='- { name: t, schema_evolution: { type_change: coerce } }' document
    agree 5 'the name of type .*a.rapidbyte.b. has .rapidbyte. in it' "yen to a type with the function's quote in its name ($load_method)"
    case_of "$kinds" ''
    STREAMS='- { name: t, columns: [id, m] }' document
    moves "yen of a domain ($load_method)"
    is "$(amounts dst_sql raw.t)" 1234 "yen of a domain: the amount ($load_method)"

    # Casts.
    case_of 'CREATE TABLE t (id int PRIMARY KEY, m money); INSERT INTO t VALUES (1, 1234)' 'CREATE TABLE t (id int PRIMARY KEY, m numeric)'
    DEST_EXTRA='schema_evolution: { type_change: coerce }' STREAMS='- { name: t }' document
    agree 5 'column "m".*is cast as if it had 2' "yen to numeric ($load_method)"
    locales en_US en_US # the same number is 12.34 now
    moves "dollars to numeric ($load_method)"
    is "$(amounts dst_sql raw.t)" 12.34 "dollars to numeric: the amount ($load_method)"
    locales ja_JP ja_JP
    case_of 'CREATE TABLE t (id int PRIMARY KEY, m numeric); INSERT INTO t VALUES (1, 1234)' 'CREATE TABLE t (id int PRIMARY KEY, m money)'
    DEST_EXTRA='schema_evolution: { type_change: coerce }' STREAMS='- { name: t }' document
    agree 5 'column "m".*is cast as if it had 2' "numeric to yen ($load_method)"
done

# A destination that knows money by its text alone.
src_sql 'DROP TABLE t; CREATE TABLE t (id int, m money); INSERT INTO t VALUES (1, 1234)'
STREAMS='- { name: t, write_mode: append }' document
python3 - "$p" <<'P'
import re, sys
text = open(sys.argv[1]).read()
open(sys.argv[1], "w").write(re.sub(r"use: dest-postgres\n  config: \{.*\}", "use: dest-count\n  config: {}", text))
P
agree 3 'column "m" has money in it with 0 digits after the point .lc_monetary.' "yen as text"
agree_end
done_testing

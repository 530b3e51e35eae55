#!/bin/bash
# How many statements check sends to the servers for a table more: counts, for seconds differ from machine to machine.
. "$(dirname "$0")/../lib/tap.sh"
. tests/lib/agree.sh

agree_begin
for setting in "log_statement = 'all'" "log_line_prefix = '%d '"; do pg_sql "ALTER SYSTEM SET $setting"; done
pg_sql 'SELECT pg_reload_conf()' >/dev/null
export EXTRA='resources: { parallelism: 1 }'

# tables <n>: SQL that makes so many.
tables() {
    local i
    for ((i = 0; i < $1; i++)); do echo "CREATE TABLE t$i (id int PRIMARY KEY, v text NOT NULL, n numeric(8,2), at timestamptz);"; done
}
# count <database>: what check of $p sends to it; COUNT.
count() {
    local before
    before=$(grep -cE "^$1 LOG:  (statement|execute)" "$PG_LOG")
    run_is 0 "$NAME: check" "$RAPIDBYTE" check "$p"
    COUNT=$(($(grep -cE "^$1 LOG:  (statement|execute)" "$PG_LOG") - before))
}
# at_most <statements for ten tables more> <database> <name> <SQL at the destination: t or nothing>
at_most() {
    local few many
    NAME=$3
    case_of "$(tables 20)" "$([[ -z $4 ]] || tables 20)"
    count "$2"
    few=$COUNT
    case_of "$(tables 60)" "$([[ -z $4 ]] || tables 60)"
    count "$2"
    many=$COUNT
    [[ $few -gt 5 ]]
    is $? 0 "$3: statements are seen ($few)"
    [[ $(((many - few + 3) / 4)) -le $1 ]]
    is $? 0 "$3: ten tables more take at most $1 statements ($few of 20 tables, $many of 60)"
}
# The source is asked for a hundred tables at once, and about locks five times a second.
STREAMS='- { match: "*" }' write_mode=replace document
at_most 4 src "new tables, source" ''
at_most 4 dst "new tables, destination" ''
at_most 4 src "tables to replace, source" t
at_most 4 dst "tables to replace, destination" t
STREAMS='- { match: "*" }' write_mode=append document
at_most 4 src "tables to append to, source" t

# What somebody has locked is said of a table that is not opened, too.
NAME='locked'
case_of "$(tables 20)" ''
PG_DATABASE=src pg_sql 'BEGIN; LOCK TABLE public.t7; SELECT pg_sleep(60)' >/dev/null 2>&1 &
locker=$!
for ((i = 0; i < 100; i++)); do
    [[ -z $(src_sql "SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'public.t7'::regclass") ]] || break
    sleep 0.1
done
run_is 0 "a locked table: check" "$RAPIDBYTE" check "$p"
like "$stdout" '^warning *stream t7: .*can.t be read: process .* has locked' "a locked table: said"
is "$(grep -c '^warning *stream' <<<"$stdout")" 1 "a locked table: the others are not warned of"
src_sql "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'public.t7'::regclass" >/dev/null
wait "$locker" 2>/dev/null

# Nor is a right that is missing overlooked.
case_of "$(tables 20)" ''
src_sql 'REVOKE SELECT ON public.t7 FROM reader; GRANT SELECT (id) ON public.t7 TO reader'
STREAMS='- { match: "*" }' write_mode=append document postgres reader
run_is 3 "a column without the right, among many: check" "$RAPIDBYTE" check "$p"
like "$stdout" 't7.*no right to read column "v"' "a column without the right, among many: said"
done_testing

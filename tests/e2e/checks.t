#!/bin/bash
# Every check of tools/check fails on a bad sample, and passes without it.
. "$(dirname "$0")/../lib/tap.sh"

# A small tree with the real tools and nothing else.
TREE=$TAP_DIR/tree
mkdir -p "$TREE"/{base,host/state,host/guest,host/engine,sdk/src,connectors/postgres/source} || bail "mkdir"
cp -R Makefile mk setup tools .clang-format .clang-tidy .shellcheckrc "$TREE"/
mkdir -p "$TREE"/tests
cp -R tests/.clang-tidy tests/lib "$TREE"/tests/
cd "$TREE" || bail "cd"
cat >base/good.h <<'C'
#ifndef RB_BASE_GOOD_H
#define RB_BASE_GOOD_H

int rb_good_add(int a, int b);

#endif
C
cat >base/good.c <<'C'
#include "base/good.h"

int rb_good_add(int a, int b)
{
    return a + b;
}
C

# fires <check> <what it says> <file> <<content: the check fails because of the file.
fires() {
    local check=$1 says=$2 file=$3
    mkdir -p "$(dirname "$file")"
    cat >"$file"
    run tools/check "$check"
    is "$status" 1 "$check: refuses $file"
    like "$stdout" "$says" "$check: says why"
    rm -f "$file"
}

mkdir tests/mutants tests/e2e docs
echo 'pass "it passes"' >tests/e2e/good.t
echo '- It is good (`good: it passes`).' >docs/guarantees.md
# threats <last column>
threats() {
    printf '| attack | defence | mutants |\n|---|---|---|\n| to add | a `check` | %s |\n' "$1"
}
mutant() {
    printf '[[mutant]]\nname = "%s"\nfile = "base/good.c"\nfind = "a + b"\nreplace = "a - b"\ntest = "good"\nfails = "it passes"\n' "$1"
}
threats '`add subtracts`; `other: all is well`' >docs/threat-model.md
mutant 'add subtracts' >tests/mutants/sandbox_good.toml
mutant 'all is well' >tests/mutants/other.toml

# refusals <what is said> <how>
refusals() {
    printf '[in]\nfolders = ["host/"]\n[not_refusals]\nstatuses = ["RB_EIO"]\ncodes = []\n[words]\n[folders]\n[reasons]\nrows = "seen with rows"\n[said]\n'
    [[ -z ${1:-} ]] || printf '[said."host/engine/no.c"]\n%s = %s\n' "$1" "$2"
}
refusals >tests/refusals.toml

run_is 0 "a good tree passes every check" tools/check

fires docs 'no test is named: - It is better' docs/guarantees.md <<<'- It is better.'
fires docs 'there is no test better' docs/guarantees.md <<<'| what | test |
|---|---|
| it is better | `better: it passes` |'
fires docs 'has no "it is better"' docs/guarantees.md <<<'- It is better
  (`good: it is better`).'
fires docs 'holds no promise' docs/guarantees.md <<<'Nothing.'
echo '- It is good (`good: it passes`).' >docs/guarantees.md
fires refusals 'no.c:1: tests/refusals.toml has no "table %s is refused"' host/engine/no.c <<<'int f(void) { return rb_error_set(err, RB_ESCHEMA, "NO", "table %s" " is refused", name); }'
fires refusals 'no.c:1: line 1 refuses by the same words' host/engine/no.c <<<'int f(void) { return rb_error_set(err, 1, "NO", "no") + rb_error_set(err, 1, "NO", "no"); }'
fires refusals 'no.c does not say "it is refused"' tests/refusals.toml < <(refusals "'it is refused'" '"rows"')
fires refusals 'has neither a test nor one of' tests/refusals.toml < <(refusals "'it is refused'" '"whim"')
fires refusals 'there is no tests/e2e/good.t that ends with agree_end' tests/refusals.toml < <(refusals "'it is refused'" '["good"]')
refusals >tests/refusals.toml
echo 'int f(void) { return rb_error_set(err, RB_EIO, "DISK", "the disk is full"); }' >host/engine/no.c
run_is 0 "refusals: what is none passes" tools/check refusals
rm host/engine/no.c
fires docs 'no mutant is named: . to add' docs/threat-model.md < <(threats 'add subtracts')
fires docs 'there is no mutant "add multiplies"' docs/threat-model.md < <(threats '`add subtracts`; `add multiplies`')
fires docs 'there is no mutant "all is well"' docs/threat-model.md < <(threats '`add subtracts`; `all is well`')
fires docs 'no line names the mutant "add subtracts"' docs/threat-model.md < <(threats '`other: all is well`')
fires docs 'holds no threat' docs/threat-model.md <<<'Nothing.'
threats '`add subtracts`' >docs/threat-model.md
fires mutants 'the text is 0 times in base/good.c' tests/mutants/stale.toml <<'TOML'
[[mutant]]
name = "add multiplies"
file = "base/good.c"
find = "a - b"
replace = "a * b"
test = "good"
fails = "it passes"
TOML
fires mutants 'there is no test bad' tests/mutants/stale.toml <<'TOML'
[[mutant]]
name = "add multiplies"
file = "base/good.c"
find = "a + b"
replace = "a * b"
test = "bad"
fails = "it passes"
TOML
fires format 'clang-format' base/bad.c <<'C'
int  x ;
C
fires layers 'base may not include host/state' base/bad.c <<'C'
#include "host/state/state.h"
C
fires layers 'host/engine may not include host/guest' host/engine/bad.c <<'C'
#include "host/guest/guest.h"
C
fires layers 'sdk may not include host/' sdk/src/bad.c <<'C'
#include "host/link/link.h"
C
fires layers 'connectors/postgres/source may not include connectors/postgres/dest' \
    connectors/postgres/source/bad.c <<'C'
#include "connectors/postgres/dest/dest.h"
C
fires layers 'connectors/postgres/source may not include abi' connectors/postgres/source/bad.c <<'C'
#include "abi/rapidbyte_abi.h"
C
fires layers 'sqlite3.h> is known to host/state alone' host/engine/bad.c <<'C'
#include <sqlite3.h>
C
fires layers 'wasmedge/wasmedge.h> is known to host/guest alone' host/state/bad.c <<'C'
#include <wasmedge/wasmedge.h>
C
fires layers 'foreign header' base/bad.c <<'C'
#include <curl/curl.h>
C
fires layers 'in no folder' host/engine/bad.c <<'C'
#include "engine.h"
C
fires banned 'strcpy is banned' base/bad.c <<'C'
void f(char *a, const char *b) { strcpy(a, b); }
C
fires banned 'system is banned' host/engine/bad.c <<'C'
int f(void) { return system ("true"); }
C
fires banned 'printf is banned; use host.cli.out.h' host/cli/bad.c <<'C'
#include <stdio.h>
void rb_f(const char *a) { printf("%s", a); }
C
fires banned 'stderr is banned' host/engine/bad.c <<'C'
#include <stdio.h>
void rb_f(const char *a) { fputs(a, stderr); }
C
fires banned 'write.STDOUT_FILENO is banned' base/bad.c <<'C'
#include <unistd.h>
void rb_f(const char *a) { write(STDOUT_FILENO, a, 1); }
C
fires sizes 'a function of 81 lines' base/bad.c < <(
    printf 'int f(int x)\n{\n'
    for ((i = 0; i < 79; i++)); do echo '    x++;'; done
    echo '}'
)
fires sizes '1001 lines' base/bad.h < <(for ((i = 0; i < 1001; i++)); do echo "/* $i */"; done)
fires symbols 'begin with rb_: stray' base/bad.c <<'C'
int stray(void);
int stray(void)
{
    return 1;
}
C
fires shell 'SC2086' bad.sh <<'SH'
#!/bin/sh
x=$1
rm $x
SH
fires warnings 'conversion' base/bad.c <<'C'
#include "base/good.h"
int rb_bad(long a);
int rb_bad(long a)
{
    return rb_good_add(a, 1);
}
C
fires tidy 'bugprone-suspicious-string-compare' base/bad.c <<'C'
#include <string.h>
int rb_bad(const char *text);
int rb_bad(const char *text)
{
    if (strcmp(text, "a")) {
        return 1;
    }
    return strcmp(text, "b") == 1;
}
C

fires analyzer 'analyzer-file-leak' base/bad.c <<'C'
#include <stdio.h>
int rb_bad(const char *path);
int rb_bad(const char *path)
{
    FILE *f = fopen(path, "r");
    if (f == NULL) {
        return -1;
    }
    return fgetc(f);
}
C

# A compiler that nobody has met: what it finds is shown, and fails nothing that the README tells to run.
mkdir "$TAP_DIR/gcc99"
printf '#!/bin/sh\n[ "$1" = -dumpversion ] && echo 99.1.0 || exec %s "$@"\n' "$(command -v gcc)" >"$TAP_DIR/gcc99/gcc"
chmod +x "$TAP_DIR/gcc99/gcc"
cat >base/bad.c <<'C'
#include <stdio.h>
int rb_bad(const char *path);
int rb_bad(const char *path)
{
    FILE *f = fopen(path, "r");
    if (f == NULL) {
        return -1;
    }
    return fgetc(f);
}
C
run env PATH="$TAP_DIR/gcc99:$PATH" tools/check analyzer
is "$status" 0 "analyzer: a compiler that was not met fails nothing"
like "$stdout" '^# note: gcc 99 is not among those' "analyzer: it is told"
like "$stdout" '^# note: .*base/bad.c.*analyzer-file-leak' "analyzer: and what it finds"
rm -f base/bad.c

# What is not a violation passes.
cat >base/fine.c <<'C'
/* strcpy(a, b) in a comment, and a name that ends like one. */
const char *rb_fine(void);
const char *rb_fine(void)
{
    return "strcpy(a, b)";
}
C
# A program that is built without any of it, and one with all.
soft=$TAP_DIR/soft
printf '#include <stdio.h>\nint main(int argc, char **argv)\n{\n    char text[16];\n    snprintf(text, (size_t)argc * 9, "%%s", argv[0]);\n    return puts(text);\n}\n' >"$soft.c"
gcc -O2 -no-pie -fcf-protection=none -fno-stack-protector -U_FORTIFY_SOURCE -Wl,-z,norelro,-z,lazy,-z,execstack -o "$soft" "$soft.c"
run env HARDENING_BINARY="$soft" tools/check hardening
is "$status" 1 "hardening: refuses a program that is not"
for part in position-independent "read-only relocations" "bound at its start" "not executable" "stack protector" "fortified" "control-flow"; do
    [[ $part != control-flow || $(uname -m) == x86_64 ]] || continue
    like "$stdout" "the binary lacks: .*$part" "hardening: $part"
done
run_is 0 "words in comments and strings are not calls" tools/check banned
rm base/fine.c
run_is 0 "without the samples every check passes again" tools/check

run sh -c 'unset HOME XDG_CACHE_HOME; ./setup --dry-run'
is "$status" 0 "setup --dry-run works without a home"
SECONDS=0
run_is 0 "setup with nothing to do succeeds" ./setup --quiet
is "$stdout$stderr" "" "and says nothing"
cmp_ok "$SECONDS" -lt 2 "in under two seconds"
run_is 1 "setup refuses an unknown argument" ./setup --nonsense
like "$stderr" 'unknown argument: --nonsense' "and names it"
done_testing

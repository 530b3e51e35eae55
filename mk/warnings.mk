# Clean with gcc 12 and 14, clang 19 and the wasm target, where they are errors. What another gcc finds is
# shown (tools/check has a note): nobody who builds with it can mend it, and it is no reason not to build.
GCC_MET := 12 14
# Asked once, when the first file is compiled: ./setup may install the compiler before.
GCC_UNMET = $(eval GCC_UNMET := $$(filter-out $$(GCC_MET),$$(firstword $$(subst ., ,$$(shell $$(CC) -dumpversion \
    2>/dev/null)))))$(GCC_UNMET)
ERRORS_gcc = $(if $(GCC_UNMET),,-Werror)

WARNINGS := -std=gnu17 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion \
    -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wcast-qual -Wcast-align \
    -Wwrite-strings -Wformat=2 -Wimplicit-fallthrough -Wdouble-promotion -Wnull-dereference \
    -Wswitch-enum -fno-common

# gcc 14 warns of null dereferences on paths through inlined calls that it has not shown to exist. That
# is left to the analyzers and to clang, which builds everything for the asan and guest variants.
WARNINGS_host = $(WARNINGS) -Wno-null-dereference $(ERRORS_gcc)
WARNINGS_cov = $(WARNINGS_host)
WARNINGS_asan := $(WARNINGS) -Werror
WARNINGS_guest := $(WARNINGS) -Werror

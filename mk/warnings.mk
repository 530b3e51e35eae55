# Clean with gcc 12 and 14, clang 19 and the wasm target. Always errors.

WARNINGS := -std=gnu17 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion \
    -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wcast-qual -Wcast-align \
    -Wwrite-strings -Wformat=2 -Wimplicit-fallthrough -Wdouble-promotion -Wnull-dereference \
    -Wswitch-enum -fno-common -Werror

# gcc 14 warns of null dereferences on paths through inlined calls that it has not shown to exist. That
# is left to the analyzers and to clang, which builds everything for the asan and guest variants.
WARNINGS_host := $(WARNINGS) -Wno-null-dereference
WARNINGS_cov := $(WARNINGS) -Wno-null-dereference
WARNINGS_asan := $(WARNINGS)
WARNINGS_guest := $(WARNINGS)

# Clean with gcc 12 and 14, clang 19 and the wasm target. Always errors.

WARNINGS := -std=gnu17 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion \
    -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wcast-qual -Wcast-align \
    -Wwrite-strings -Wformat=2 -Wimplicit-fallthrough -Wdouble-promotion -Wnull-dereference \
    -Wswitch-enum -fno-common -Werror

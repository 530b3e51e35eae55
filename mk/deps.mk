# What ./setup brings. It runs before anything is compiled; with nothing to do it takes milliseconds.
# Afterwards build/deps holds: include/ (jsmn.h, nanoarrow/…, flatcc/…), src/ (nanoarrow's three C
# files), wasmedge.id (which WasmEdge is installed; touched only when that changes).

.PHONY: setup
setup:
	@./setup --quiet

NANOARROW_SOURCES := build/deps/src/nanoarrow.c build/deps/src/nanoarrow_ipc.c build/deps/src/flatcc.c
$(NANOARROW_SOURCES) build/deps/wasmedge.id: | setup ;

# Checks of the source tree. Warnings are errors in every build; the rest is here.

.PHONY: check deep fmt lint tidy analyzer archives gcc-unmet

## check: format, layers, banned functions, sizes, names, shell lint, warnings, static analysis
check: | setup
	@tools/check

## lint: the same as check
lint: check

## fmt: format all C files
fmt: | setup
	@find . -path ./build -prune -o -name '*.[ch]' -print0 | xargs -0 -r $(CLANG_FORMAT) -i

archives: $(call archives,host,$(ARCHIVES_host))

# clang-tidy, again only for what changed: an object that was rebuilt is the sign.
TIDY_SOURCES := $(filter-out build/%,$(foreach a,$(filter-out nanoarrow,$(ARCHIVES_host)),$(call \
    sources_of,$(a)))) $(MAIN) $(EXAMPLES) $(NATIVE_TESTS) \
    $(BENCH_SOURCES)
tidy: $(TIDY_SOURCES:%.c=build/check/tidy/%.ok)

build/check/tidy/%.ok: build/host/obj/%.o .clang-tidy tests/.clang-tidy tools/tidy tools/analyzer.h
	@mkdir -p $(@D)
	$(call say,TIDY,$*.c)
	$(Q)CLANG_TIDY='$(CLANG_TIDY)' tools/tidy $*.c -std=gnu17 $(CPPFLAGS_all) -Wall -Wextra
	@touch $@

## deep: clang's path-sensitive analyzer on every source: minutes, so not part of check
DEEP_CHECKS := -*,clang-analyzer-*,-clang-analyzer-optin.performance.Padding,$(strip \
    )-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling
deep: $(TIDY_SOURCES:%.c=build/check/deep/%.ok)

build/check/deep/%.ok: build/host/obj/%.o tools/tidy tools/analyzer.h
	@mkdir -p $(@D)
	$(call say,DEEP,$*.c)
	$(Q)CLANG_TIDY='$(CLANG_TIDY) --checks=$(DEEP_CHECKS)' tools/tidy $*.c -std=gnu17 $(CPPFLAGS_all) -Wall -Wextra
	@touch $@

# For tools/check: gcc's version, where it is none that these sources were seen with.
gcc-unmet:
	@echo $(GCC_UNMET)

# gcc's analyzer on the product's own sources. Left out: leaks (clang's analyzer understands pointers
# into a block), bounds (it knows no string's length) and descriptors (it takes dup2 for a new one).
analyzer: $(patsubst %.c,build/check/analyzer/%.ok,$(filter-out tests/%,$(TIDY_SOURCES)))

build/check/analyzer/%.ok: build/host/obj/%.o tools/analyzer.h
	@mkdir -p $(@D)
	$(call say,ANALYZE,$*.c)
	$(Q)$(CC) -std=gnu17 $(CPPFLAGS_all) -O1 -fanalyzer $(ERRORS_gcc) \
	    -Wno-analyzer-malloc-leak -Wno-analyzer-out-of-bounds -Wno-analyzer-fd-leak \
	    -fdiagnostics-path-format=none $(if $(filter base/error,$*),,$(if $(wildcard \
	    base/error.h),-include tools/analyzer.h)) -c $*.c -o /dev/null
	@touch $@

# Checks of the source tree. Warnings are errors in every build; the rest is here.

.PHONY: check fmt lint tidy archives

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
    sources_of,$(a)))) $(MAIN) $(EXAMPLES) $(NATIVE_TESTS)
tidy: $(TIDY_SOURCES:%.c=build/check/tidy/%.ok)

build/check/tidy/%.ok: build/host/obj/%.o .clang-tidy tests/.clang-tidy tools/tidy tools/analyzer.h
	@mkdir -p $(@D)
	$(call say,TIDY,$*.c)
	$(Q)CLANG_TIDY='$(CLANG_TIDY)' tools/tidy $*.c -std=gnu17 $(CPPFLAGS_all) -Wall -Wextra
	@touch $@

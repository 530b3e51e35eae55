# Fuzzers: fuzz/*.c, each with libFuzzer's entry point, and a build variant of what they reach.

FUZZERS := $(patsubst fuzz/%.c,%,$(sort $(wildcard fuzz/*.c)))
FUZZ_CHOSEN := $(if $(T),$(filter $(T),$(FUZZERS)),$(FUZZERS))

# Seconds for each.
FUZZ_SECS ?= 60

CC_fuzz = $(CLANG)
CFLAGS_fuzz := $(filter-out -fsanitize=%,$(CFLAGS_asan)) -fsanitize=fuzzer-no-link,address,undefined
LDFLAGS_fuzz := -pthread -fsanitize=fuzzer,address,undefined
WARNINGS_fuzz := $(WARNINGS) -Werror
# UndefinedBehaviorSanitizer ends the program too: what only prints is not found.
CFLAGS_fuzz += -fno-sanitize-recover=all

FUZZ_ARCHIVES := guest net config link crypto sdk_native sdk postgres_common $(SHARED_ARCHIVES)

$(eval $(call variant_rules,fuzz))
$(foreach a,$(FUZZ_ARCHIVES),$(eval $(call archive_rule,fuzz,$(a),$(call objects_of,fuzz,$(call \
    sources_of,$(a))))))

build/fuzz/bin/%: build/fuzz/obj/fuzz/%.o $(call archives,fuzz,$(FUZZ_ARCHIVES))
	@mkdir -p $(@D)
	$(call say,LD fuzz,$@)
	$(Q)$(CC_fuzz) $(LDFLAGS_fuzz) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(HOST_LIBS)

.PHONY: fuzz fuzz-replay fuzzers
fuzzers: $(FUZZERS:%=build/fuzz/bin/%)

## fuzz: each fuzzer for FUZZ_SECS seconds (60); T=name runs one
fuzz: $(FUZZ_CHOSEN:%=build/fuzz/bin/%)
	$(if $(FUZZ_CHOSEN),,$(error there is no fuzzer named "$(T)"))
	@tools/fuzz --secs $(FUZZ_SECS) $(FUZZ_CHOSEN)

## fuzz-replay: each fuzzer over its corpus, once
fuzz-replay: $(FUZZ_CHOSEN:%=build/fuzz/bin/%)
	@tools/fuzz --replay $(FUZZ_CHOSEN)

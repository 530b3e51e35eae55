# Benchmarks: bench/run measures against rivals, bench/check counts the hot loops' instructions.

BENCH_PROGRAMS := build/bench/stopwatch build/bench/relay
BENCH_SOURCES := $(filter-out bench/hot_guest.c,$(sort $(wildcard bench/*.c)))

$(BENCH_PROGRAMS): build/bench/%: build/host/obj/bench/%.o
	@mkdir -p $(@D)
	$(call say,LD host,$@)
	$(Q)$(CC_host) $(LDFLAGS_host) -o $@ $<

LDFLAGS_hot := -pthread -Wl,--wrap=memcpy,--wrap=memmove,--wrap=memset,--wrap=memcmp,--wrap=bcmp
HOT_ARCHIVES := sdk_native sdk postgres_common arrow base nanoarrow
HOT_OBJECTS := $(addprefix build/hot/obj/,bench/hot.o bench/hot_loops.o bench/hot_copy.o host/worker/channel.o tests/support/pgscript.o)

$(eval $(call variant_rules,hot))
$(foreach a,$(HOT_ARCHIVES),$(eval $(call archive_rule,hot,$(a),$(call objects_of,hot,$(call \
    sources_of,$(a))))))

build/hot/hot: $(HOT_OBJECTS) $(call archives,hot,$(HOT_ARCHIVES))
	@mkdir -p $(@D)
	$(call say,LD hot,$@)
	$(Q)$(CC_hot) $(LDFLAGS_hot) -o $@ $(HOT_OBJECTS) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group -lm

# The same with a decoder that takes a little more: what must not pass.
build/hot/slower: connectors/postgres/common/codec_decode.c bench/slower.h build/hot/hot
	$(call say,LD hot,$@)
	$(Q)$(CC_hot) $(WARNINGS_hot) $(CPPFLAGS_all) $(CFLAGS_hot) $(LDFLAGS_hot) -include bench/slower.h -o $@ $< \
	    $(HOT_OBJECTS) -Wl,--start-group $(call archives,hot,$(HOT_ARCHIVES)) -Wl,--end-group -lm

.PHONY: bench-check
## bench-check: instructions of the hot loops beside bench/baseline.json; ACCEPT=1 makes them the new baseline
bench-check: build/hot/hot
	@CLANG='$(CLANG)' $(PYTHON) bench/check $(if $(ACCEPT),--accept) $<

.PHONY: bench bench-programs
bench-programs: $(BENCH_PROGRAMS)

## bench: beside psql and others; W="workload…" N=rows ROUNDS=n APPEND=1 WAYS=a,b (bench/run --help)
bench: build bench-programs
	@bench/run $(if $(N),--rows $(N)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(APPEND),--append) \
	    $(if $(WAYS),--ways $(WAYS)) $(W)

# The guests' loops natively and in wasm, for their time.
HOT_LIBS := $(call archives,hot,$(HOT_ARCHIVES))
build/hot/timed: $(filter-out %/hot_copy.o,$(HOT_OBJECTS)) $(HOT_LIBS)
	$(call say,LD hot,$@)
	$(Q)$(CC_hot) -pthread -o $@ $(filter %.o,$^) -Wl,--start-group $(HOT_LIBS) -Wl,--end-group -lm
build/hot/connectors/source_hot.wasm: $(call objects_of,guest,bench/hot_guest.c bench/hot_loops.c $(call \
    sources_of,postgres_common)) $(GUEST_WHOLE) $(GUEST_LINKED)
	@mkdir -p $(@D)
	$(call say,WASM,$@)
	$(Q)$(CC_guest) $(GUEST_LDFLAGS) -o $@ $(filter %.o,$^) \
	    -Wl,--whole-archive $(GUEST_WHOLE) -Wl,--no-whole-archive $(GUEST_LINKED)
build/hot/connectors/source_hot.manifest.json: bench/source_hot.manifest.json build/hot/connectors/source_hot.wasm
	$(Q)$(PYTHON) tools/stamp-manifest $< build/hot/connectors/source_hot.wasm $@

.PHONY: bench-native
## bench-native: the guests' loops in WebAssembly beside the same built natively, by time
bench-native: build build/hot/timed build/hot/connectors/source_hot.manifest.json
	@$(PYTHON) bench/native

# The connectors with their functions' names, for profiles.
PROFILED := source_postgres dest_postgres
PROFILED_FILES := $(PROFILED:%=build/profile/connectors/%.wasm) $(PROFILED:%=build/profile/connectors/%.manifest.json)

build/profile/connectors/%.wasm: build/connectors/%.wasm
	@mkdir -p $(@D)
	$(call say,WASM,$@)
	$(Q)$(CC_guest) $(filter-out -Wl$(comma)--strip-all,$(GUEST_LDFLAGS)) -o $@ \
	    $(call postgres_objects,$(firstword $(subst _, ,$*))) \
	    -Wl,--whole-archive $(GUEST_WHOLE) -Wl,--no-whole-archive $(GUEST_LINKED)
build/profile/connectors/%.manifest.json: build/connectors/%.manifest.json build/profile/connectors/%.wasm
	$(Q)$(PYTHON) tools/stamp-manifest $< build/profile/connectors/$*.wasm $@

.PHONY: profile
## profile: a flame graph of host and guests, build/profile/W.svg, and what takes how much; W=workload (narrow) N=rows
profile: build bench-programs $(PROFILED_FILES)
	@bench/run --profile build/profile $(if $(N),--rows $(N)) $(if $(WAYS),--ways $(WAYS)) $(or $(W),narrow)

# Benchmarks: bench/run measures against rivals.

BENCH_PROGRAMS := build/bench/stopwatch build/bench/relay
BENCH_SOURCES := bench/stopwatch.c bench/relay.c

build/bench/%: build/host/obj/bench/%.o
	@mkdir -p $(@D)
	$(call say,LD host,$@)
	$(Q)$(CC_host) $(LDFLAGS_host) -o $@ $<

.PHONY: bench bench-programs
bench-programs: $(BENCH_PROGRAMS)

## bench: beside psql and others; W="workload…" N=rows ROUNDS=n APPEND=1 WAYS=a,b (bench/run --help)
bench: build bench-programs
	@bench/run $(if $(N),--rows $(N)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(APPEND),--append) \
	    $(if $(WAYS),--ways $(WAYS)) $(W)

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

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

# Tests: cmocka programs and bash scripts, both TAP, run by prove.

UNIT_TESTS := $(sort $(wildcard tests/unit/test_*.c))
CONNECTOR_TESTS := $(sort $(wildcard tests/connectors/test_*.c))
E2E_TESTS := $(sort $(wildcard tests/e2e/*.t))
programs = $(patsubst %.c,build/$(1)/%,$(2))

# Which archives a connector test is linked with: both connectors define the same entry points.
connector_archives = $(if $(filter test_source_%,$(1)),postgres_source postgres_common,$(if $(filter \
    test_dest_%,$(1)),postgres_dest postgres_common,postgres_common)) sdk_native sdk

define test_program
build/$(1)/$(2:.c=): build/$(1)/obj/$(2:.c=.o) $(call archives,$(1),testsupport $(3) $(SHARED_ARCHIVES))
	@mkdir -p $$(@D)
	$$(call say,LD $(1),$$@)
	$$(Q)$$(CC_$(1)) $$(LDFLAGS_$(1)) -o $$@ $$< -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group \
	    -lcmocka $$(HOST_LIBS)
endef
$(foreach v,$(NATIVE_VARIANTS),$(foreach t,$(UNIT_TESTS),$(eval $(call test_program,$(v),$(t),$(HOST_ARCHIVES)))))
$(foreach v,$(NATIVE_VARIANTS),$(foreach t,$(CONNECTOR_TESTS),$(eval $(call test_program,$(v),$(t),$(call \
    connector_archives,$(notdir $(t)))))))

NATIVE_TESTS := $(UNIT_TESTS) $(CONNECTOR_TESTS)

# T=name: the one test of that name (test_name.c or name.t), without the checks.
chosen = $(if $(T),$(filter %/test_$(T:test_%=%).c %/$(T:%.t=%).t,$(1)),$(1))
need_chosen = $(if $(T),$(if $(strip $(call chosen,$(1))),,$(error there is no test named "$(T)")))

HOSTILE_CHOSEN = $(call chosen,$(filter %/hostile.t,$(E2E_TESTS)))

.PHONY: test compiled e2e types concurrency sanitize coverage mutants bench-connector-postgres fresh test-programs
## test-programs: build everything that the tests run
test-programs: build $(if $(filter-out faults%,$(T)),,build-faults) $(call programs,host,$(call chosen,$(NATIVE_TESTS))) $(TEST_GUEST_FILES)

## test: checks, unit, connector and end-to-end tests; T=name runs one
test: test-programs bench-programs $(PROFILED_FILES) build/hot/hot build/hot/slower $(if $(T),,compiled)
	$(call need_chosen,$(NATIVE_TESTS) $(E2E_TESTS))
	@tools/run-tests $(if $(T),,tools/check) $(call programs,host,$(call chosen,$(NATIVE_TESTS))) $(call \
	    chosen,$(E2E_TESTS))

# Into the cache, once: not by each of the first tests, side by side, within their limits of time.
compiled: build
	$(call say,COMPILE,build/connectors)
	@build/rapidbyte compile --quiet

## e2e: the end-to-end tests alone; T=name runs one
e2e: build build-faults bench-programs $(PROFILED_FILES) build/hot/hot build/hot/slower $(TEST_GUEST_FILES)
	@tools/run-tests $(call chosen,$(E2E_TESTS))

## concurrency: writers, 1,000 runs and racing engines for minutes; SEED=n (default: the time)
concurrency: build
	@LONG=1 SEED=$${SEED:-$$(date +%s)} TEST_TIMEOUT_S=3600 tools/run-tests tests/e2e/concurrency.t

## types: the type matrix on every installed PostgreSQL, and docs/types.md from it
types: build
	@tools/types

## sanitize: unit, connector and hostile tests, and the fuzzers' corpora, under Address- and UBSanitizer
sanitize: $(if $(T),,fuzz-replay) $(TEST_GUEST_FILES) $(CONNECTOR_FILES) build/lib/.stub \
    $(call programs,asan,$(call chosen,$(NATIVE_TESTS))) $(if $(HOSTILE_CHOSEN),build/asan/rapidbyte)
	@RAPIDBYTE=$(CURDIR)/build/asan/rapidbyte HOSTILE_SECONDS=60 tools/run-tests $(call \
	    programs,asan,$(call chosen,$(NATIVE_TESTS))) $(HOSTILE_CHOSEN)

## coverage: line coverage of the unit and connector tests, by folder
coverage: $(TEST_GUEST_FILES) $(CONNECTOR_FILES) build/lib/.stub \
    $(call programs,cov,$(NATIVE_TESTS)) $(call archives,cov,$(ARCHIVES_cov))
	@find build/cov -name '*.gcda' -delete
	@tools/run-tests $(call programs,cov,$(NATIVE_TESTS))
	@$(PYTHON) tools/coverage build/cov

## mutants: break the product on purpose, and see the test fail that is named for it; T=pattern
mutants: build
	@$(PYTHON) tools/mutants '$(T)'

## bench-connector-postgres: load speed beside psql's, by COPY and INSERT; ROWS=n (default 1000000)
ROWS ?= 1000000
bench-connector-postgres: build
	@bench/connector-postgres $(ROWS)

## fresh: demo and test in freshly debootstrapped Debian 12 and 13; FRESH=bookworm|trixie, KEEP=1
fresh:
	@tools/fresh $(FRESH)
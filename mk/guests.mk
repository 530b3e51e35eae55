# Connectors as WebAssembly modules, each with its manifest (checksum filled in) beside it.

# 256 KiB of stack, first in memory, so that an overflow traps instead of overwriting data.
# Memory may grow without a maximum of its own: the host sets the limit.
GUEST_LDFLAGS := -mexec-model=reactor -O2 -Wl,--no-entry -Wl,--gc-sections -Wl,--strip-all \
    -Wl,-z,stack-size=262144 -Wl,--stack-first
GUEST_WHOLE = $(call archives,guest,sdk)
GUEST_LINKED = $(call archives,guest,base arrow nanoarrow)

EXAMPLES := $(sort $(wildcard sdk/examples/*.c))
CONNECTORS := $(if $(wildcard connectors/postgres/source/*.c),source_postgres) \
    $(if $(wildcard connectors/postgres/dest/*.c),dest_postgres) \
    $(subst -,_,$(notdir $(EXAMPLES:.c=)))
CONNECTOR_MANIFESTS := $(sort $(wildcard connectors/postgres/source/source_postgres.manifest.json \
    connectors/postgres/dest/dest_postgres.manifest.json sdk/examples/*.manifest.json))
CONNECTOR_FILES := $(CONNECTORS:%=build/connectors/%.wasm) \
    $(addprefix build/connectors/,$(notdir $(CONNECTOR_MANIFESTS)))

.PHONY: build-connectors
## build-connectors: the connectors as WebAssembly modules in build/connectors
build-connectors: $(CONNECTOR_FILES) | setup

# guest_rules <module> <objects>: the SDK is linked whole, for its exports.
define guest_rules
build/connectors/$(1).wasm: $(2) $$(GUEST_WHOLE) $$(GUEST_LINKED) $(call stale,build/connectors/$(1).wasm,$(2))
	@mkdir -p $$(@D)
	$$(call say,WASM,$$@)
	$$(Q)$$(CC_guest) $$(GUEST_LDFLAGS) -o $$@ $(2) \
	    $$(if $$(GUEST_WHOLE),-Wl$$(comma)--whole-archive $$(GUEST_WHOLE) -Wl$$(comma)--no-whole-archive) \
	    $$(GUEST_LINKED)
	$$(call note,$(2))
endef
comma := ,

postgres_objects = $(call objects_of,guest,$(call sources_of,postgres_$(1)) $(call sources_of,postgres_common))
$(if $(filter source_postgres,$(CONNECTORS)),$(eval $(call guest_rules,source_postgres,$(call \
    postgres_objects,source))))
$(if $(filter dest_postgres,$(CONNECTORS)),$(eval $(call guest_rules,dest_postgres,$(call \
    postgres_objects,dest))))
$(foreach e,$(EXAMPLES),$(eval $(call guest_rules,$(subst -,_,$(notdir $(e:.c=))),$(call \
    objects_of,guest,$(e)))))

define manifest_rules
build/connectors/$(notdir $(1)): $(1) build/connectors/$(patsubst %.manifest.json,%.wasm,$(notdir $(1))) \
    tools/stamp-manifest
	$$(call say,MANIFEST,$$@)
	$$(Q)$$(PYTHON) tools/stamp-manifest $(1) $$(word 2,$$^) $$@
endef
$(foreach m,$(CONNECTOR_MANIFESTS),$(eval $(call manifest_rules,$(m))))

# Guests of the tests: plain clang, no SDK, as an author with nothing but the protocol would build.
TEST_GUESTS := $(sort $(wildcard tests/guests/*.c))
TEST_GUEST_MANIFESTS := $(sort $(wildcard tests/guests/*.manifest.json))
HOSTILE_GUESTS := $(sort $(wildcard tests/hostile/*.c))
TEST_GUEST_FILES := $(patsubst tests/guests/%.c,build/test-connectors/%.wasm,$(TEST_GUESTS)) \
    $(patsubst tests/hostile/%.c,build/hostile/%.wasm,$(HOSTILE_GUESTS)) \
    $(patsubst tests/hostile/%.c,build/hostile/%.manifest.json,$(HOSTILE_GUESTS)) \
    $(TEST_GUEST_MANIFESTS:tests/guests/%=build/test-connectors/%)

build/test-connectors/%.wasm: build/guest/obj/tests/guests/%.o $(call archives,guest,nanoarrow)
	@mkdir -p $(@D)
	$(call say,WASM,$@)
	$(Q)$(CC_guest) $(GUEST_LDFLAGS) -o $@ $< $(call archives,guest,nanoarrow)
# They share a manifest.
build/hostile/%.manifest.json: tests/hostile/manifest.json build/hostile/%.wasm tools/stamp-manifest
	$(call say,MANIFEST,$@)
	$(Q)sed 's/NAME/$(subst _,-,$*)/' $< >$@.in
	$(Q)$(PYTHON) tools/stamp-manifest $@.in build/hostile/$*.wasm $@
	@rm -f $@.in
build/hostile/%.wasm: build/guest/obj/tests/hostile/%.o
	@mkdir -p $(@D)
	$(call say,WASM,$@)
	$(Q)$(CC_guest) $(GUEST_LDFLAGS) -o $@ $<
# crt1-reactor.o is what exports _initialize.
build/test-connectors/not_initialize.wasm: GUEST_LDFLAGS += -nostartfiles
# 22 pages.
build/test-connectors/wasi_socket_source.wasm: GUEST_LDFLAGS += -nostartfiles -Wl,--initial-memory=1441792
build/test-connectors/%.manifest.json: tests/guests/%.manifest.json build/test-connectors/%.wasm \
    tools/stamp-manifest
	$(call say,MANIFEST,$@)
	$(Q)$(PYTHON) tools/stamp-manifest $< build/test-connectors/$*.wasm $@

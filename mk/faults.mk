# The test variant with fault points (base/fault.h): binary and connectors in build/faults. The
# connectors find out from the host which point is armed, by an import that the product lacks.
#   faults   the host      guestfaults   the connectors

CC_faults = $(CC)
CFLAGS_faults := $(CFLAGS_host) -DRB_FAULTS
LDFLAGS_faults := $(LDFLAGS_host)
WARNINGS_faults = $(WARNINGS_host)
CC_guestfaults = $(CC_guest)
CFLAGS_guestfaults := $(CFLAGS_guest) -DRB_FAULTS
WARNINGS_guestfaults := $(WARNINGS) -Werror

FAULT_GUESTS := source dest
FAULT_CONNECTORS := $(foreach c,$(FAULT_GUESTS),build/faults/connectors/$(c)_postgres.wasm \
    build/faults/connectors/$(c)_postgres.manifest.json)

$(foreach v,faults guestfaults,$(eval $(call variant_rules,$(v))))
$(foreach a,$(HOST_ARCHIVES) arrow base,$(eval $(call archive_rule,faults,$(a),$(call \
    objects_of,faults,$(call sources_of,$(a))))))
$(foreach a,sdk postgres_common arrow base,$(eval $(call archive_rule,guestfaults,$(a),$(call \
    objects_of,guestfaults,$(call sources_of,$(a))))))

build/faults/rapidbyte: build/faults/obj/host/cli/main.o build/faults/obj/tests/faults/fault_host.o \
    build/faults/obj/tests/faults/fault_import.o $(call archives,faults,$(HOST_ARCHIVES) arrow base) \
    $(call archives,host,nanoarrow)
	$(call say,LD faults,$@)
	$(Q)$(CC_faults) $(LDFLAGS_faults) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) \
	    -Wl,--end-group $(HOST_LIBS)

# Where the binary looks for it.
build/faults/lib/.stub: build/lib/.stub
	@mkdir -p $(@D)
	$(Q)cp -f build/lib/libLLVM-stub.so $(@D)/ && touch $@

build/faults/pgproxy: build/host/obj/tests/faults/pgproxy.o build/host/lib/base.a
	@mkdir -p $(@D)
	$(call say,LD host,$@)
	$(Q)$(CC_host) $(LDFLAGS_host) -o $@ $^

define fault_guest_rules
build/faults/connectors/$(1)_postgres.wasm: $(call objects_of,guestfaults,$(call sources_of,postgres_$(1))) \
    build/guestfaults/obj/tests/faults/fault_guest.o $(call archives,guestfaults,sdk postgres_common arrow base) \
    $(call archives,guest,nanoarrow)
	@mkdir -p $$(@D)
	$$(call say,WASM,$$@)
	$$(Q)$$(CC_guestfaults) $$(GUEST_LDFLAGS) -o $$@ $$(filter %.o,$$^) -Wl,--whole-archive \
	    build/guestfaults/lib/sdk.a -Wl,--no-whole-archive $$(filter-out %/sdk.a,$$(filter %.a,$$^))
build/faults/connectors/$(1)_postgres.manifest.json: connectors/postgres/$(1)/$(1)_postgres.manifest.json \
    build/faults/connectors/$(1)_postgres.wasm tools/stamp-manifest
	$$(call say,MANIFEST,$$@)
	$$(Q)$$(PYTHON) tools/stamp-manifest $$< $$(word 2,$$^) $$@
endef
$(foreach c,$(FAULT_GUESTS),$(eval $(call fault_guest_rules,$(c))))

.PHONY: faults build-faults
## faults: faults swept over runs; SEED=n chooses, WHOLE=1 takes all, ONLY=<scenario> repeats one
SEED ?= 1
faults: build-faults
	@tools/faults --seed $(SEED) $(if $(WHOLE),--whole) $(if $(ONLY),--only $(ONLY))

## build-faults: the variant with fault points, in build/faults
build-faults: build/faults/rapidbyte build/faults/pgproxy build/faults/lib/.stub $(FAULT_CONNECTORS)

# A variant is a compiler with flags; each has its objects and archives in build/<variant>.
#   host   the product          asan   AddressSanitizer and UndefinedBehaviorSanitizer
#   cov    gcc --coverage       guest  wasm32-wasi

VARIANTS := host asan cov guest
NATIVE_VARIANTS := host asan cov

# An empty value, so that a file's own `#define _GNU_SOURCE` is the same definition.
CPPFLAGS_all := -I. -Isdk -Ibuild -isystem build/deps/include -D_GNU_SOURCE=

CC_host = $(CC)
# Hardened; tools/check hardening looks at the binary. Control-flow protection is x86's.
HARDENED := -fPIE -fstack-protector-strong -fstack-clash-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 \
    $(if $(filter x86_64,$(shell uname -m)),-fcf-protection=full)
CFLAGS_host := -O2 -g -pthread $(HARDENED)
LDFLAGS_host := -pie -pthread -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed

CC_asan = $(CLANG)
CFLAGS_asan := -O1 -g -pthread -fno-omit-frame-pointer -fsanitize=address,undefined \
    -fno-sanitize-recover=all
LDFLAGS_asan := -pthread -fsanitize=address,undefined

CC_cov = $(CC)
CFLAGS_cov := -O0 -g -pthread --coverage -fprofile-update=atomic
LDFLAGS_cov := -pthread --coverage

# For counting instructions (mk/bench.mk): the guests' compiler and its -O3. valgrind does not read the
# debugging information that it writes.
CC_hot = $(CLANG)
CFLAGS_hot := -O3 -g0 -pthread -fno-stack-protector -U_FORTIFY_SOURCE
WARNINGS_hot = $(WARNINGS) -Werror

CC_guest = $(CLANG) --target=wasm32-wasi
CFLAGS_guest := -O3 -msimd128 -g0 -ffunction-sections -fdata-sections \
    -fvisibility=hidden -mbulk-memory

# Folders and the archives they become.
FOLDER_base := base
FOLDER_arrow := arrow
FOLDER_crypto := host/crypto
FOLDER_net := host/net
FOLDER_config := host/config
FOLDER_state := host/state
FOLDER_link := host/link
FOLDER_guest := host/guest
FOLDER_worker := host/worker
FOLDER_sandbox := host/sandbox
FOLDER_engine := host/engine
FOLDER_cli := host/cli
FOLDER_sdk := sdk/src
FOLDER_sdk_native := sdk/native
FOLDER_postgres_common := connectors/postgres/common
FOLDER_postgres_source := connectors/postgres/source
FOLDER_postgres_dest := connectors/postgres/dest
FOLDER_testsupport := tests/support

HOST_ARCHIVES := cli engine worker sandbox guest net config state link crypto
SHARED_ARCHIVES := arrow base nanoarrow
CONNECTOR_ARCHIVES := sdk_native sdk postgres_common postgres_source postgres_dest
GUEST_ARCHIVES := sdk postgres_common base arrow nanoarrow
ARCHIVES_host := $(HOST_ARCHIVES) $(CONNECTOR_ARCHIVES) testsupport $(SHARED_ARCHIVES)
ARCHIVES_asan := $(ARCHIVES_host)
ARCHIVES_cov := $(ARCHIVES_host)
ARCHIVES_guest := $(GUEST_ARCHIVES)

# SQL files become C: <folder>/sql/*.sql -> build/gen/<folder>/sql.{c,h}, included as
# "gen/<folder>/sql.h".
SQL_FILES := $(sort $(wildcard base/sql/*.sql host/*/sql/*.sql connectors/*/*/sql/*.sql tests/*/sql/*.sql))
SQL_FOLDERS := $(sort $(patsubst %/sql/,%,$(dir $(SQL_FILES))))
GENERATED := $(SQL_FOLDERS:%=build/gen/%/sql.h)

define sql_rules
build/gen/$(1)/sql.c: $(filter $(1)/sql/%,$(SQL_FILES)) $(1)/sql tools/embed-sql | setup
	$$(call say,SQL,$(1)/sql)
	$$(Q)$$(PYTHON) tools/embed-sql build/gen/$(1)/sql.c build/gen/$(1)/sql.h $(filter $(1)/sql/%,$(SQL_FILES))
build/gen/$(1)/sql.h: build/gen/$(1)/sql.c ;
endef
$(foreach f,$(SQL_FOLDERS),$(eval $(call sql_rules,$(f))))

# sources_of <archive>: the C files of its folder, generated ones included, main.c left out.
# A file named *_native.c is for the native variants only.
sources_of = $(if $(filter nanoarrow,$(1)),$(NANOARROW_SOURCES),$(filter-out %/main.c,$(sort $(wildcard \
    $(FOLDER_$(1))/*.c))) $(if $(filter $(FOLDER_$(1)),$(SQL_FOLDERS)),build/gen/$(FOLDER_$(1))/sql.c))
# objects_of <variant> <sources>
objects_of = $(patsubst %.c,build/$(1)/obj/%.o,$(patsubst build/%,%,$(if $(filter guest%,$(1)),$(filter-out \
    %_native.c,$(2)),$(2))))
# archives <variant> <names>: those that have a source.
archives = $(foreach a,$(2),$(if $(strip $(call sources_of,$(a))),build/$(1)/lib/$(a).a))

# stale <target> <objects>: FORCE when the target was made of other objects (a source was removed).
# Its recipe notes them down by $(call note,<objects>).
stale = $(if $(subst x$(strip $(2))x,,x$(strip $(file <$(1).list))x),FORCE)
note = $(Q)echo '$(strip $(1))' >$@.list
.PHONY: FORCE
FORCE:

FLAG_FILES := mk/toolchain.mk mk/warnings.mk mk/variants.mk

define variant_rules
# Foreign code: our warnings are not its authors'.
build/$(1)/obj/deps/src/%.o: build/deps/src/%.c $(FLAG_FILES) | setup
	@mkdir -p $$(@D)
	$$(call say,CC $(1),$$<)
	$$(Q)$$(CC_$(1)) -std=gnu17 $$(CPPFLAGS_all) $$(CFLAGS_$(1)) -w -MMD -MP -c $$< -o $$@
build/$(1)/obj/gen/%.o: build/gen/%.c $(FLAG_FILES) | setup
	@mkdir -p $$(@D)
	$$(call say,CC $(1),$$<)
	$$(Q)$$(CC_$(1)) $$(CPPFLAGS_all) $$(CFLAGS_$(1)) $$(WARNINGS_$(1)) -MMD -MP -c $$< -o $$@
build/$(1)/obj/%.o: %.c $(FLAG_FILES) | setup $(GENERATED)
	@mkdir -p $$(@D)
	$$(call say,CC $(1),$$<)
	$$(Q)$$(CC_$(1)) $$(CPPFLAGS_all) $$(CFLAGS_$(1)) $$(WARNINGS_$(1)) -MMD -MP -c $$< -o $$@
endef
$(foreach v,$(VARIANTS),$(eval $(call variant_rules,$(v))))

# archive_rule <variant> <name> <objects>
define archive_rule
build/$(1)/lib/$(2).a: $(3) $(call stale,build/$(1)/lib/$(2).a,$(3))
	@mkdir -p $$(@D)
	$$(call say,AR $(1),$(2))
	$$(Q)rm -f $$@ && $$(AR_$(if $(filter guest%,$(1)),guest,host)) rcs $$@ $$(filter %.o,$$^)
	$$(call note,$(3))
endef
$(foreach v,$(VARIANTS),$(foreach a,$(ARCHIVES_$(v)),$(if $(strip $(call sources_of,$(a))),$(eval $(call \
    archive_rule,$(v),$(a),$(call objects_of,$(v),$(call sources_of,$(a))))))))

-include $(shell find build -name '*.d' 2>/dev/null)

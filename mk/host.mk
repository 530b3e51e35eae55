# The native binary. It is not linked with libwasmedge: the worker opens that at run time, behind the
# LLVM stub, because LLVM costs 20 ms and 50 MB at load time and only the compiler needs it.

HOST_LIBS := -lsqlite3 -lssl -lcrypto -llz4 -lzstd -lfyaml -lyyjson -lseccomp -lpthread -ldl -lm

# What is released has inside of it what comes as an archive (the last two: what libfyaml and OpenSSL
# need): for nine shared libraries the loader took 2 ms of each of a run's two processes.
archived = $(if $(filter /%,$(shell $(CC) -print-file-name=lib$(1).a)),-l:lib$(1).a,-l$(1))
HOST_LIBS_INSIDE := $(foreach l,sqlite3 ssl crypto lz4 zstd fyaml seccomp,$(call archived,$l)) \
    $(foreach l,xxhash z,$(filter -l:%,$(call archived,$l))) -lyyjson -lpthread -ldl -lm

MAIN := $(wildcard host/cli/main.c)

.PHONY: build-host
build-host: $(if $(MAIN),build/rapidbyte) build/lib/.stub $(call archives,host,$(HOST_ARCHIVES) \
    $(SHARED_ARCHIVES))

define binary_rules
$(2): build/$(1)/obj/host/cli/main.o $(call archives,$(1),$(HOST_ARCHIVES) $(SHARED_ARCHIVES))
	$$(call say,LD $(1),$$@)
	$$(Q)$$(CC_$(1)) $$(LDFLAGS_$(1)) -o $$@ $$< -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $(3)
endef
$(eval $(call binary_rules,host,build/rapidbyte,$(HOST_LIBS_INSIDE)))
$(eval $(call binary_rules,asan,build/asan/rapidbyte,$(HOST_LIBS)))
$(eval $(call binary_rules,cov,build/cov/rapidbyte,$(HOST_LIBS)))

# The stub is left out, with a warning, where it cannot be made; so the file that says "done" is
# another.
build/lib/.stub: tools/llvm-stub build/deps/wasmedge.id | setup
	@mkdir -p $(@D)
	$(call say,STUB,build/lib/libLLVM-stub.so)
	$(Q)CC='$(CC)' tools/llvm-stub build/lib/libLLVM-stub.so && touch $@

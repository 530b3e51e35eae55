/* A connector's manifest, beside its module. */
#include "host/config/manifest.h"

#include "fuzz/fuzz.h"
#include "fuzz/scratch.h"
#include "host/config/manifest_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[192];
    if (path[0] == 0) {
        scratch_make();
        scratch_path(path, sizeof path, "source_demo.wasm");
    }
    struct rb_manifest *manifest = NULL;
    scratch_write("source_demo.manifest.json", data, size);
    int status = rb_manifest_read("source-demo", path, &manifest, NULL);
    FUZZ_CHECK((status == 0) == (manifest != NULL));
    if (status == 0) {
        FUZZ_CHECK(manifest->id != NULL && strlen(manifest->sha256) == 64);
        for (size_t i = 0; i < manifest->n_allowed_domains; i++) {
            FUZZ_CHECK(manifest->allowed_domains[i] != NULL);
        }
        rb_manifest_free(manifest);
    }
    return 0;
}

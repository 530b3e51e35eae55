/* A pipeline document: YAML, references, every key, the connectors' schemas. */
#include "fuzz/fuzz.h"
#include "fuzz/scratch.h"
#include "host/config/pipeline.h"

static const char secret[] = "the-secret";

/* Whether a message shows it: of no interest when the document itself does. Names of streams are
 * shown everywhere, wherever they come from. */
static int shows_secret(const struct rb_diags *diags, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < diags->count; i++) {
        const char *message = diags->items[i].message;
        if (strstr(message, secret) != NULL && strstr(message, "stream '") == NULL &&
            strstr(message, "pattern '") == NULL) {
            return memmem(data, size, secret, sizeof secret - 1) == NULL;
        }
    }
    return 0;
}

static void load(const char *path, const uint8_t *data, size_t size)
{
    struct rb_pipeline *pipeline = NULL;
    struct rb_diags diags;
    /* What the fuzzer writes must not run. */
    const struct rb_pipeline_options options = {.connector_dirs = scratch_folder,
                                                .no_commands = true};
    rb_diags_init(&diags);
    int status = rb_pipeline_load(path, &options, &pipeline, &diags, NULL);
    FUZZ_CHECK(status <= 0);
    FUZZ_CHECK((status == 0) == (pipeline != NULL));
    FUZZ_CHECK(status == 0 || diags.count > 0 || status == RB_ENOMEM);
    FUZZ_CHECK(!shows_secret(&diags, data, size));
    if (status == 0) {
        FUZZ_CHECK(pipeline->name != NULL && pipeline->n_streams > 0);
    }
    rb_pipeline_free(pipeline);
    rb_diags_release(&diags);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[192];
    if (path[0] == 0) {
        scratch_make();
        scratch_path(path, sizeof path, "p.yaml");
        (void)setenv("HOME", scratch_folder, 1);
        (void)setenv("SECRET", secret, 1);
        (void)unsetenv("PGPASSFILE");
    }
    scratch_write("p.yaml", data, size);
    load(path, data, size);
    return 0;
}

/* A temporary folder with connectors (tests/unit/fixtures/config) and a pipeline document. */
#ifndef RB_TESTS_SUPPORT_CONFIG_FIXTURE_H
#define RB_TESTS_SUPPORT_CONFIG_FIXTURE_H

#include <stddef.h>

#include "host/config/diag.h"
#include "host/config/pipeline.h"

struct rb_config_fixture {
    char folder[64];
    char path[96]; /* of the document */
    struct rb_pipeline *pipeline;
    struct rb_diags diags;
    struct rb_error err;
};

/* cmocka's setup and teardown; *ctx is the fixture. */
int rb_config_fixture_set_up(void **ctx);
int rb_config_fixture_tear_down(void **ctx);

/* Writes a file into the folder; `name` may hold one folder that exists. */
void rb_config_fixture_write(const struct rb_config_fixture *f, const char *name, const void *data,
                             size_t len);
/* Writes the document and loads it; returns what rb_pipeline_load did. */
int rb_config_fixture_load(struct rb_config_fixture *f, const char *text, size_t len);
/* Loads it and fails the test with its mistakes if there are any. */
const struct rb_pipeline *rb_config_fixture_good(struct rb_config_fixture *f, const char *text);
/* Loads it and compares all mistakes, one a line: "line:column: message" and " [hint]", the folder
 * as @. */
void rb_config_fixture_bad(struct rb_config_fixture *f, int status, const char *text,
                           const char *expected);

#endif

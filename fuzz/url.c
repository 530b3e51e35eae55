/* A connection URL. */
#include "host/config/url.h"

#include "fuzz/fuzz.h"
#include "host/config/doc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rb_url url;
    struct rb_diags diags;
    char *text = malloc(size + 1);
    FUZZ_CHECK(text != NULL);
    memcpy(text, data, size);
    text[size] = 0; /* a scalar of the document has no NUL in it, and ends in one */
    rb_diags_init(&diags);
    struct rb_doc doc = {.arena = rb_arena_new(), .diags = &diags, .path = "p.yaml", .folder = "/"};
    const struct rb_yaml node = {.kind = RB_YAML_SCALAR, .line = 1, .column = 1, .text = text};
    FUZZ_CHECK(doc.arena != NULL);
    if (rb_url_parse(&doc, &node, &url)) {
        FUZZ_CHECK(diags.count == 0 && url.n_parts <= RB_URL_PARTS_MAX);
        for (size_t i = 0; i < url.n_parts; i++) {
            FUZZ_CHECK(strlen(url.parts[i].value) <= strlen(text));
            FUZZ_CHECK(rb_url_get(&url, url.parts[i].name) != NULL);
        }
    } else {
        FUZZ_CHECK(diags.count > 0);
    }
    rb_arena_free(doc.arena);
    rb_diags_release(&diags);
    free(text);
    return 0;
}

#include "arrow/metadata.h"

int rb_meta_set(struct ArrowSchema *schema, const struct rb_meta_pair *pairs, size_t n_pairs,
                struct rb_error *err)
{
    struct ArrowBuffer buffer;
    int code = ArrowMetadataBuilderInit(&buffer, NULL);
    size_t n = 0;
    for (size_t i = 0; code == NANOARROW_OK && i < n_pairs; i++) {
        if (pairs[i].value != NULL) {
            code = ArrowMetadataBuilderAppend(&buffer, ArrowCharView(pairs[i].key),
                                              ArrowCharView(pairs[i].value));
            n++;
        }
    }
    if (code == NANOARROW_OK) {
        code = ArrowSchemaSetMetadata(schema, n == 0 ? NULL : (const char *)buffer.data);
    }
    ArrowBufferReset(&buffer);
    if (code != NANOARROW_OK) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory for field metadata");
    }
    return RB_OK;
}

int rb_meta_get(const struct ArrowSchema *schema, const char *key, struct ArrowStringView *ret)
{
    struct ArrowStringView value = {.data = NULL, .size_bytes = 0};
    if (schema->metadata == NULL ||
        ArrowMetadataGetValue(schema->metadata, ArrowCharView(key), &value) != NANOARROW_OK ||
        value.data == NULL) {
        return 1;
    }
    *ret = value;
    return 0;
}

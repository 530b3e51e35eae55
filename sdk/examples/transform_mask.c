/* Masks columns: `method: null` empties them; `method: hash` puts 16 hexadecimal digits in place of
 * a text or binary value, the same ones for the same value and `key`. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arrow/metadata.h"
#include "base/hash.h"
#include "rapidbyte/rapidbyte.h"

static struct {
    struct rb_json_doc *config;
    bool is_hash;
    uint8_t key[16];
} mask;

static int mask_open(const struct rb_open_context *context, void **ret_self, struct rb_error *err)
{
    const char *key = rb_json_text(rb_json_get(context->config, "key"), "");
    *ret_self = NULL;
    mask.is_hash = strcmp(rb_json_text(rb_json_get(context->config, "method"), ""), "hash") == 0;
    static const char digits[] = "0123456789abcdef";
    if (mask.is_hash && (strlen(key) != 32 || strspn(key, digits) != 32)) {
        return rb_error_set(err, RB_ECONFIG, "BAD_KEY", "key is not 32 hexadecimal digits");
    }
    for (size_t i = 0; mask.is_hash && i < 32; i++) {
        uint8_t *byte = &mask.key[i / 2];
        *byte = (uint8_t)(*byte << 4 | (strchr(digits, key[i]) - digits));
    }
    return rb_json_copy(context->config, &mask.config, err);
}

static int mask_field(void *self, struct ArrowSchema *field, struct rb_error *err)
{
    (void)self;
    field->flags |= mask.is_hash ? 0 : ARROW_FLAG_NULLABLE;
    if (!mask.is_hash) {
        return RB_OK;
    }
    if (strchr("uUzZ", field->format[0]) == NULL) { /* Arrow's letters for text and binary */
        return rb_error_set(err, RB_ESCHEMA, "NOT_TEXT", "column '%s' is neither text nor binary",
                            field->name);
    }
    /* No database's type any more, with a length that 16 digits may not fit: just text. */
    int status = rb_meta_set(field, NULL, 0, err);
    return status == RB_OK && ArrowSchemaSetFormat(field, "u") != 0 ? RB_ENOMEM : status;
}

static int mask_column(void *self, const struct ArrowSchema *field, const struct ArrowArrayView *in,
                       struct ArrowArray *out, struct rb_error *err)
{
    (void)self, (void)field;
    int code = mask.is_hash ? 0 : ArrowArrayAppendNull(out, in->length);
    for (int64_t i = 0; mask.is_hash && code == 0 && i < in->length; i++) {
        char digits[17];
        struct ArrowBufferView value = ArrowArrayViewGetBytesUnsafe(in, i);
        uint64_t hash = rb_hash_siphash(mask.key, value.data.data, (size_t)value.size_bytes);
        snprintf(digits, sizeof digits, "%016" PRIx64, hash);
        code = ArrowArrayViewIsNull(in, i) ? ArrowArrayAppendNull(out, 1)
                                           : ArrowArrayAppendString(out, ArrowCharView(digits));
    }
    return code == 0 ? RB_OK : rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory");
}

static int mask_run(void *self, const struct rb_stream_context *context,
                    struct rb_transform_summary *ret, struct rb_error *err)
{
    static const struct rb_transform transform = {.field = mask_field, .column = mask_column};
    struct rb_json_value columns = rb_json_get(rb_json_root(mask.config), "columns");
    return rb_transform_run(&transform, self, columns, context, ret, err);
}

static void mask_close(void *self)
{
    (void)self;
    rb_json_free(mask.config);
}

static const struct rb_connector mask_columns = {
    .open = mask_open, .close = mask_close, .transform = mask_run};
RB_EXPORT_TRANSFORM(mask_columns)

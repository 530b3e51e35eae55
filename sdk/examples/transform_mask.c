/* Masks columns: `method: null` empties them; `method: hash` puts 16 hexadecimal digits in place of
 * a text or binary value, the same ones for the same value and `key`. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "rapidbyte/rapidbyte.h"

static struct {
    struct rb_json_value columns; /* names */
    bool is_hash;
    uint8_t key[16];
} mask;

static int mask_open(const struct rb_open_context *context, void **ret_self, struct rb_error *err)
{
    *ret_self = NULL;
    mask.columns = rb_json_get(context->config, "columns");
    mask.is_hash = strcmp(rb_json_text(rb_json_get(context->config, "method"), ""), "hash") == 0;
    return mask.is_hash ? rb_json_hex(context->config, "key", mask.key, sizeof mask.key, err)
                        : RB_OK;
}

static int mask_field(void *self, struct ArrowSchema *field, struct rb_error *err)
{
    (void)self;
    if (mask.is_hash) { /* no type of a database any more, with a length that digits may not fit */
        return rb_transform_bytes_to_text(field, err);
    }
    field->flags |= ARROW_FLAG_NULLABLE;
    return RB_OK;
}

static int mask_column(void *self, const struct ArrowSchema *field, const struct ArrowArrayView *in,
                       struct ArrowArray *out, struct rb_error *err)
{
    (void)self, (void)field;
    int code = mask.is_hash ? 0 : ArrowArrayAppendNull(out, in->length);
    for (int64_t i = 0; mask.is_hash && code == 0 && i < in->length; i++) {
        struct ArrowBufferView value = ArrowArrayViewGetBytesUnsafe(in, i);
        uint64_t hash = rb_hash_siphash(mask.key, value.data.data, (size_t)value.size_bytes);
        char digits[17];
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
    return rb_transform_run(&transform, self, mask.columns, context, ret, err);
}

static const struct rb_connector mask_columns = {.open = mask_open, .transform = mask_run};
RB_EXPORT_TRANSFORM(mask_columns)

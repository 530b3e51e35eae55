/* Columns as an Arrow schema, and back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/metadata.h"
#include "base/json.h"
#include "connectors/postgres/common/type.h"

enum {
    OPAQUE_METADATA_MAX = 4096,
    UUID_BYTES = 16,
};

static int no_memory(struct rb_error *err)
{
    return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for the schema");
}

static int set_arrow_type(const struct rb_column *column, struct ArrowSchema *field)
{
    if (column->arrow == NANOARROW_TYPE_TIMESTAMP) {
        return ArrowSchemaSetTypeDateTime(field, NANOARROW_TYPE_TIMESTAMP,
                                          NANOARROW_TIME_UNIT_MICRO, column->utc ? "UTC" : NULL);
    }
    if (column->arrow == NANOARROW_TYPE_TIME64) {
        return ArrowSchemaSetTypeDateTime(field, NANOARROW_TYPE_TIME64, NANOARROW_TIME_UNIT_MICRO,
                                          NULL);
    }
    if (column->arrow == NANOARROW_TYPE_FIXED_SIZE_BINARY) {
        return ArrowSchemaSetTypeFixedSize(field, column->arrow, UUID_BYTES);
    }
    return ArrowSchemaSetType(field, column->arrow);
}

/* {"type_name":…,"vendor_name":"PostgreSQL"}: the canonical extension arrow.opaque. */
static int opaque_metadata(const struct rb_column *column, struct rb_buf *out)
{
    const char *name = column->type_name != NULL ? column->type_name : column->declared;
    if (name != NULL && strncmp(name, "pg_catalog.", strlen("pg_catalog.")) == 0) {
        name += strlen("pg_catalog.");
    }
    struct rb_json json;
    rb_json_init(&json, out);
    rb_json_begin_object(&json);
    rb_json_member_str(&json, "type_name", name);
    rb_json_member_str(&json, "vendor_name", "PostgreSQL");
    rb_json_end_object(&json);
    return rb_json_finish(&json);
}

static int set_field_metadata(const struct rb_column *column, struct ArrowSchema *field,
                              struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf opaque = RB_BUF_INIT(OPAQUE_METADATA_MAX);
    const char *extension = column->extension;
    const char *extension_metadata = extension != NULL ? "" : NULL;
    if (column->form == RB_FORM_BINARY) {
        if (opaque_metadata(column, &opaque) != 0) {
            return no_memory(err);
        }
        extension = "arrow.opaque";
        extension_metadata = rb_buf_str(&opaque);
    }
    char oid[16];
    char typmod[16];
    snprintf(oid, sizeof oid, "%u", (unsigned)column->oid);
    snprintf(typmod, sizeof typmod, "%d", (int)column->typmod);
    char digits[16];
    snprintf(digits, sizeof digits, "%d", column->money_digits);
    const char *form = column->form == RB_FORM_BINARY  ? "binary"
                       : column->form == RB_FORM_TEXT  ? "text"
                       : column->form == RB_FORM_LABEL ? "label"
                                                       : NULL;
    const struct rb_meta_pair pairs[] = {
        {RB_META_PG_TYPE, column->declared},
        {RB_META_PG_TYPNAME, column->type_name},
        {RB_META_PG_OID, oid},
        {RB_META_PG_TYPMOD, typmod},
        {RB_META_PG_COLLATION, column->collation},
        {RB_META_PG_FORM, form},
        {RB_META_PG_DEFINITION, column->definition},
        {RB_META_PG_ORIGIN, column->origin},
        {RB_META_PG_MONEY_DIGITS, column->has_money ? digits : NULL},
        {RB_META_PG_GENERATED, column->generated ? "true" : NULL},
        {RB_META_EXTENSION_NAME, extension},
        {RB_META_EXTENSION_METADATA, extension_metadata},
    };
    return rb_meta_set(field, pairs, sizeof pairs / sizeof pairs[0], err);
}

static int fill_field(const struct rb_column *column, struct ArrowSchema *field,
                      struct rb_error *err)
{
    if (set_arrow_type(column, field) != NANOARROW_OK ||
        ArrowSchemaSetName(field, column->name) != NANOARROW_OK) {
        return no_memory(err);
    }
    if (column->not_null) {
        field->flags &= ~(int64_t)ARROW_FLAG_NULLABLE;
    }
    return set_field_metadata(column, field, err);
}

static void schema_release(struct ArrowSchema *schema)
{
    if (schema->release != NULL) {
        schema->release(schema);
    }
}

int rb_columns_to_schema(const struct rb_columns *columns, const char *primary_key_json,
                         struct ArrowSchema *ret, struct rb_error *err)
{
    RB_CLEANUP(schema_release) struct ArrowSchema schema = {.release = NULL};
    ArrowSchemaInit(&schema);
    if (ArrowSchemaSetTypeStruct(&schema, (int64_t)columns->n) != NANOARROW_OK) {
        return no_memory(err);
    }
    for (size_t i = 0; i < columns->n; i++) {
        int status = fill_field(&columns->items[i], schema.children[i], err);
        if (status < 0) {
            return status;
        }
    }
    const struct rb_meta_pair pair = {RB_META_PRIMARY_KEY, primary_key_json};
    int status = rb_meta_set(&schema, &pair, 1, err);
    if (status < 0) {
        return status;
    }
    ArrowSchemaMove(&schema, ret);
    return 0;
}

/* A metadata value as a C string in *ret (owned), NULL when there is none. */
static int meta_text(const struct ArrowSchema *field, const char *key, char **ret)
{
    struct ArrowStringView view;
    *ret = NULL;
    if (rb_meta_get(field, key, &view) != 0) {
        return 0;
    }
    *ret = strndup(view.data, (size_t)view.size_bytes);
    return *ret != NULL ? 0 : RB_ENOMEM;
}

static int64_t meta_int(const struct ArrowSchema *field, const char *key, int64_t otherwise)
{
    struct ArrowStringView view;
    char text[24];
    if (rb_meta_get(field, key, &view) != 0 || view.size_bytes < 1 ||
        view.size_bytes >= (int64_t)sizeof text) {
        return otherwise;
    }
    memcpy(text, view.data, (size_t)view.size_bytes);
    text[view.size_bytes] = '\0';
    char *end;
    int64_t value = strtoll(text, &end, 10);
    return *end == '\0' ? value : otherwise;
}

/* The PostgreSQL type for a field that did not come from PostgreSQL. */
static const char *default_type(const struct ArrowSchemaView *view)
{
    switch ((int)view->type) {
    case NANOARROW_TYPE_BOOL:
        return "bool";
    case NANOARROW_TYPE_INT16:
        return "int2";
    case NANOARROW_TYPE_INT32:
        return "int4";
    case NANOARROW_TYPE_INT64:
        return "int8";
    case NANOARROW_TYPE_FLOAT:
        return "float4";
    case NANOARROW_TYPE_DOUBLE:
        return "float8";
    case NANOARROW_TYPE_STRING:
        return view->extension_name.size_bytes == (int64_t)strlen("arrow.json") &&
                       memcmp(view->extension_name.data, "arrow.json", strlen("arrow.json")) == 0
                   ? "json"
                   : "text";
    case NANOARROW_TYPE_BINARY:
        return "bytea";
    case NANOARROW_TYPE_FIXED_SIZE_BINARY:
        return view->fixed_size == UUID_BYTES ? "uuid" : NULL;
    case NANOARROW_TYPE_DATE32:
        return "date";
    case NANOARROW_TYPE_TIME64:
        return view->time_unit == NANOARROW_TIME_UNIT_MICRO ? "time" : NULL;
    case NANOARROW_TYPE_TIMESTAMP:
        if (view->time_unit != NANOARROW_TIME_UNIT_MICRO) {
            return NULL;
        }
        return view->timezone != NULL && view->timezone[0] != '\0' ? "timestamptz" : "timestamp";
    default:
        return NULL;
    }
}

static bool is_text(const char *text, const char *expected)
{
    return text != NULL && strcmp(text, expected) == 0;
}

/* As format_type spells a built-in type: what the catalogue is compared with. */
static const char *declared_name(const char *name)
{
    static const char *const spelled[][2] = {
        {"bool", "boolean"},
        {"int2", "smallint"},
        {"int4", "integer"},
        {"int8", "bigint"},
        {"float4", "real"},
        {"float8", "double precision"},
        {"time", "time without time zone"},
        {"timestamp", "timestamp without time zone"},
        {"timestamptz", "timestamp with time zone"},
    };
    for (size_t i = 0; i < sizeof spelled / sizeof spelled[0]; i++) {
        if (strcmp(spelled[i][0], name) == 0) {
            return spelled[i][1];
        }
    }
    return name;
}

/* The native type of a field, by its OID or else by its Arrow type; NULL: there is none. */
static const struct rb_type *native_type(const struct rb_column *column,
                                         const struct ArrowSchemaView *view)
{
    const char *fallback = default_type(view);
    const struct rb_type *type = NULL;
    if (column->oid != 0) {
        type = rb_type_find(column->oid);
    } else if (fallback != NULL) {
        type = rb_type_find_name(fallback);
    }
    bool fits = fallback != NULL || view->type == NANOARROW_TYPE_UINT32;
    return type != NULL && fits && type->form == RB_FORM_NATIVE && type->arrow == view->type ? type
                                                                                             : NULL;
}

/* Form, codec and storage of a column whose strings are set; `form` as in the metadata. */
static int settle_type(struct rb_column *column, const struct ArrowSchemaView *view,
                       const char *form, struct rb_error *err)
{
    column->arrow = view->type;
    column->codec = RB_CODEC_BYTES;
    if (is_text(form, "binary") || is_text(form, "text") || is_text(form, "label")) {
        column->form = is_text(form, "binary") ? RB_FORM_BINARY
                       : is_text(form, "text") ? RB_FORM_TEXT
                                               : RB_FORM_LABEL;
        enum ArrowType expected =
            column->form == RB_FORM_BINARY ? NANOARROW_TYPE_BINARY : NANOARROW_TYPE_STRING;
        if (view->type == expected && column->declared != NULL) {
            return 0;
        }
    } else if (form == NULL) {
        const struct rb_type *type = native_type(column, view);
        if (type != NULL) {
            column->form = RB_FORM_NATIVE;
            column->codec = type->codec;
            column->extension = type->extension;
            column->oid = type->oid;
            return 0;
        }
    }
    return rb_error_set(err, RB_ESCHEMA, "TYPE_NOT_SUPPORTED",
                        "column \"%s\": Arrow type %s does not go into a PostgreSQL column%s%s",
                        column->name, ArrowTypeString(view->type),
                        column->declared != NULL ? " of type " : "",
                        column->declared != NULL ? column->declared : "");
}

static int read_field(const struct ArrowSchema *field, struct rb_columns *columns,
                      struct rb_error *err)
{
    struct ArrowSchemaView view;
    struct ArrowError arrow_error;
    if (ArrowSchemaViewInit(&view, field, &arrow_error) != NANOARROW_OK) {
        return rb_error_set(err, RB_ESCHEMA, "BAD_SCHEMA", "column \"%s\": %s",
                            field->name != NULL ? field->name : "", arrow_error.message);
    }
    if (field->name == NULL || field->name[0] == '\0') {
        return rb_error_set(err, RB_ESCHEMA, "BAD_SCHEMA", "a column of the stream has no name");
    }
    struct rb_column column = {.typmod = -1};
    char *form = NULL;
    int status = 0;
    if (meta_text(field, RB_META_PG_TYPE, &column.declared) < 0 ||
        meta_text(field, RB_META_PG_TYPNAME, &column.type_name) < 0 ||
        meta_text(field, RB_META_PG_COLLATION, &column.collation) < 0 ||
        meta_text(field, RB_META_PG_DEFINITION, &column.definition) < 0 ||
        meta_text(field, RB_META_PG_ORIGIN, &column.origin) < 0 ||
        meta_text(field, RB_META_PG_FORM, &form) < 0 ||
        (column.name = strdup(field->name)) == NULL) {
        status = no_memory(err);
    }
    if (status == 0) {
        int64_t oid = meta_int(field, RB_META_PG_OID, 0);
        int64_t typmod = meta_int(field, RB_META_PG_TYPMOD, -1);
        column.oid = oid > 0 && oid <= UINT32_MAX ? (uint32_t)oid : 0;
        column.typmod = typmod >= INT32_MIN && typmod <= INT32_MAX ? (int32_t)typmod : -1;
        int64_t digits = meta_int(field, RB_META_PG_MONEY_DIGITS, -1);
        column.has_money = digits >= 0 && digits <= RB_TYPE_MONEY_DIGITS_MAX;
        column.money_digits = column.has_money ? (int)digits : 0;
        struct ArrowStringView generated;
        column.generated = rb_meta_get(field, RB_META_PG_GENERATED, &generated) == 0;
        column.not_null = (field->flags & ARROW_FLAG_NULLABLE) == 0;
        column.utc = view.type == NANOARROW_TYPE_TIMESTAMP && view.timezone != NULL &&
                     view.timezone[0] != '\0';
        column.from_postgres = column.declared != NULL;
        status = settle_type(&column, &view, form, err);
    }
    if (status == 0 && column.declared == NULL) {
        column.declared = strdup(declared_name(rb_type_find(column.oid)->name));
        status = column.declared != NULL ? 0 : no_memory(err);
    }
    if (status == 0) {
        status = rb_columns_add(columns, &column, err);
    }
    free(form);
    free(column.name);
    free(column.declared);
    free(column.type_name);
    free(column.collation);
    free(column.definition);
    free(column.origin);
    return status;
}

int rb_columns_from_schema(const struct ArrowSchema *schema, struct rb_columns *ret,
                           struct rb_error *err)
{
    RB_CLEANUP(rb_columns_release) struct rb_columns columns;
    rb_columns_init(&columns);
    if (schema->format == NULL || strcmp(schema->format, "+s") != 0) {
        return rb_error_set(err, RB_ESCHEMA, "BAD_SCHEMA", "the stream's batches are not tables");
    }
    for (int64_t i = 0; i < schema->n_children; i++) {
        int status = read_field(schema->children[i], &columns, err);
        if (status < 0) {
            return status;
        }
    }
    rb_columns_release(ret);
    *ret = columns;
    rb_columns_init(&columns);
    return 0;
}

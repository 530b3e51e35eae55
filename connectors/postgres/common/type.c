#include "connectors/postgres/common/type.h"

#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/json.h"
#include "base/suggest.h"

#define N RB_FORM_NATIVE
#define B RB_FORM_BINARY
#define T RB_FORM_TEXT
#define NONE 0, NANOARROW_TYPE_UNINITIALIZED, NULL
#define OPAQUE RB_CODEC_BYTES, NANOARROW_TYPE_BINARY, NULL
#define TEXT RB_CODEC_BYTES, NANOARROW_TYPE_STRING, NULL

/* The built-in types, by OID (PostgreSQL's pg_type.dat; OIDs of built-in types never change). */
static const struct rb_type types[] = {
    {16, "bool", N, RB_CODEC_BOOL, NANOARROW_TYPE_BOOL, NULL},
    {17, "bytea", N, RB_CODEC_BYTES, NANOARROW_TYPE_BINARY, NULL},
    {18, "char", B, OPAQUE}, /* one byte, which need not be UTF-8 */
    {19, "name", N, TEXT},
    {20, "int8", N, RB_CODEC_INT64, NANOARROW_TYPE_INT64, NULL},
    {21, "int2", N, RB_CODEC_INT16, NANOARROW_TYPE_INT16, NULL},
    {22, "int2vector", T, TEXT}, /* its input function refuses its own binary form of none */
    {23, "int4", N, RB_CODEC_INT32, NANOARROW_TYPE_INT32, NULL},
    {25, "text", N, TEXT},
    {26, "oid", N, RB_CODEC_INT32, NANOARROW_TYPE_UINT32, NULL},
    {27, "tid", B, OPAQUE},
    {28, "xid", B, OPAQUE},
    {29, "cid", B, OPAQUE},
    {30, "oidvector", T, TEXT},
    {114, "json", N, RB_CODEC_BYTES, NANOARROW_TYPE_STRING, "arrow.json"},
    {142, "xml", T, TEXT}, /* its binary form lacks the XML declaration */
    {600, "point", B, OPAQUE},
    {601, "lseg", B, OPAQUE},
    {602, "path", B, OPAQUE},
    {603, "box", B, OPAQUE},
    {604, "polygon", B, OPAQUE},
    {628, "line", B, OPAQUE},
    {650, "cidr", B, OPAQUE},
    {700, "float4", N, RB_CODEC_INT32, NANOARROW_TYPE_FLOAT, NULL},
    {701, "float8", N, RB_CODEC_INT64, NANOARROW_TYPE_DOUBLE, NULL},
    {718, "circle", B, OPAQUE},
    {774, "macaddr8", B, OPAQUE},
    {790, "money", B, OPAQUE},
    {829, "macaddr", B, OPAQUE},
    {869, "inet", B, OPAQUE},
    {1042, "bpchar", N, TEXT},
    {1043, "varchar", N, TEXT},
    {1082, "date", N, RB_CODEC_DATE, NANOARROW_TYPE_DATE32, NULL},
    {1083, "time", N, RB_CODEC_TIME, NANOARROW_TYPE_TIME64, NULL},
    {1114, "timestamp", N, RB_CODEC_TIMESTAMP, NANOARROW_TYPE_TIMESTAMP, NULL},
    {1184, "timestamptz", N, RB_CODEC_TIMESTAMP, NANOARROW_TYPE_TIMESTAMP, NULL},
    {1186, "interval", B, OPAQUE},
    {1266, "timetz", B, OPAQUE},
    {1560, "bit", B, OPAQUE},
    {1562, "varbit", B, OPAQUE},
    {1700, "numeric", B, OPAQUE},
    {1790, "refcursor", B, OPAQUE},
    {2950, "uuid", N, RB_CODEC_UUID, NANOARROW_TYPE_FIXED_SIZE_BINARY, "arrow.uuid"},
    {2970, "txid_snapshot", B, OPAQUE},
    {3220, "pg_lsn", B, OPAQUE},
    {3614, "tsvector", B, OPAQUE},
    {3615, "tsquery", B, OPAQUE},
    {3802, "jsonb", N, RB_CODEC_JSONB, NANOARROW_TYPE_STRING, "arrow.json"},
    {3904, "int4range", B, OPAQUE},
    {3906, "numrange", B, OPAQUE},
    {3908, "tsrange", B, OPAQUE},
    {3910, "tstzrange", B, OPAQUE},
    {3912, "daterange", B, OPAQUE},
    {3926, "int8range", B, OPAQUE},
    {4072, "jsonpath", B, OPAQUE},
    {4451, "int4multirange", B, OPAQUE},
    {4532, "nummultirange", B, OPAQUE},
    {4533, "tsmultirange", B, OPAQUE},
    {4534, "tstzmultirange", B, OPAQUE},
    {4535, "datemultirange", B, OPAQUE},
    {4536, "int8multirange", B, OPAQUE},
    {5038, "pg_snapshot", B, OPAQUE},
    {5069, "xid8", B, OPAQUE},
    /* Everything else travels as text: regclass and its kin (an OID means another object on
     * another server), aclitem (no binary form), enums, composites, types of extensions. */
};

#undef N
#undef B
#undef T
#undef NONE
#undef OPAQUE
#undef TEXT

enum { TIMESTAMPTZ_OID = 1184 };

const struct rb_type *rb_type_find(uint32_t oid)
{
    size_t low = 0;
    size_t high = sizeof types / sizeof types[0];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (types[middle].oid == oid) {
            return &types[middle];
        }
        if (types[middle].oid < oid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

const struct rb_type *rb_type_find_name(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i].name, name) == 0) {
            return &types[i];
        }
    }
    return NULL;
}

enum rb_type_form rb_type_choose(struct rb_type_facts facts, bool peer_pg_binary,
                                 const struct rb_type **ret_type)
{
    const struct rb_type *type = rb_type_find(facts.oid);
    *ret_type = NULL;
    if (facts.is_enum) {
        return RB_FORM_LABEL;
    }
    if (type != NULL && type->form == RB_FORM_NATIVE) {
        *ret_type = type;
        return RB_FORM_NATIVE;
    }
    if (!peer_pg_binary) {
        return RB_FORM_TEXT;
    }
    if (type != NULL) {
        return type->form;
    }
    /* An array's binary form holds its element's OID, which only built-in types share. */
    const struct rb_type *element = facts.elem_oid != 0 ? rb_type_find(facts.elem_oid) : NULL;
    if (element != NULL && element->form != RB_FORM_TEXT && facts.oid < RB_TYPE_BUILTIN_OID_END) {
        return RB_FORM_BINARY;
    }
    return RB_FORM_TEXT;
}

void rb_column_set_type(struct rb_column *column, struct rb_type_facts facts, bool peer_pg_binary)
{
    const struct rb_type *type;
    column->form = rb_type_choose(facts, peer_pg_binary, &type);
    column->oid = facts.oid;
    column->from_postgres = true;
    column->utc = facts.oid == TIMESTAMPTZ_OID;
    if (type != NULL) {
        column->codec = type->codec;
        column->arrow = type->arrow;
        column->extension = type->extension;
        return;
    }
    column->codec = RB_CODEC_BYTES;
    column->extension = NULL;
    column->arrow = column->form == RB_FORM_BINARY ? NANOARROW_TYPE_BINARY : NANOARROW_TYPE_STRING;
}

static void column_release(struct rb_column *column)
{
    free(column->name);
    free(column->declared);
    free(column->type_name);
    free(column->collation);
    free(column->definition);
    free(column->origin);
}

void rb_columns_init(struct rb_columns *columns)
{
    columns->items = NULL;
    columns->n = 0;
}

void rb_columns_release(struct rb_columns *columns)
{
    for (size_t i = 0; i < columns->n; i++) {
        column_release(&columns->items[i]);
    }
    free(columns->items);
    rb_columns_init(columns);
}

static bool copy_text(const char *text, char **ret)
{
    *ret = text == NULL ? NULL : strdup(text);
    return text == NULL || *ret != NULL;
}

int rb_columns_add(struct rb_columns *columns, const struct rb_column *column, struct rb_error *err)
{
    if (columns->n >= RB_TYPE_COLUMNS_MAX) {
        return rb_error_set(err, RB_ESCHEMA, "TOO_MANY_COLUMNS", "more than %d columns",
                            RB_TYPE_COLUMNS_MAX);
    }
    struct rb_column *grown = realloc(columns->items, (columns->n + 1) * sizeof(struct rb_column));
    if (grown == NULL) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for %zu columns",
                            columns->n + 1);
    }
    columns->items = grown;
    struct rb_column copy = *column;
    bool copied = copy_text(column->name, &copy.name);
    copied = copy_text(column->declared, &copy.declared) && copied;
    copied = copy_text(column->type_name, &copy.type_name) && copied;
    copied = copy_text(column->collation, &copy.collation) && copied;
    copied = copy_text(column->definition, &copy.definition) && copied;
    copied = copy_text(column->origin, &copy.origin) && copied;
    if (!copied) {
        column_release(&copy);
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a column");
    }
    columns->items[columns->n++] = copy;
    return 0;
}

const struct rb_column *rb_columns_find(const struct rb_columns *columns, const char *name)
{
    for (size_t i = 0; i < columns->n; i++) {
        if (strcmp(columns->items[i].name, name) == 0) {
            return &columns->items[i];
        }
    }
    return NULL;
}

int rb_columns_put_names(const struct rb_columns *columns, struct rb_buf *ret)
{
    struct rb_json json;
    rb_json_init(&json, ret);
    rb_json_begin_array(&json);
    for (size_t i = 0; i < columns->n; i++) {
        rb_json_str(&json, columns->items[i].name);
    }
    rb_json_end_array(&json);
    return rb_json_finish(&json);
}

void rb_columns_suggest(const struct rb_columns *columns, const char *name, struct rb_error *err)
{
    struct rb_suggest suggest;
    rb_suggest_init(&suggest, name);
    for (size_t i = 0; i < columns->n; i++) {
        rb_suggest_offer(&suggest, columns->items[i].name);
    }
    rb_suggest_hint(&suggest, err);
}

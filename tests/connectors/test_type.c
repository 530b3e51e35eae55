/* How each PostgreSQL type travels, and columns as an Arrow schema and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arrow/metadata.h"
#include "connectors/postgres/common/quote.h"
#include "connectors/postgres/common/type.h"

static void forms_follow_the_peer(void **state)
{
    (void)state;
    static const struct {
        uint32_t oid, elem;
        enum rb_type_form with, without;
    } rows[] = {
        {23, 0, RB_FORM_NATIVE, RB_FORM_NATIVE},    /* int4 */
        {1184, 0, RB_FORM_NATIVE, RB_FORM_NATIVE},  /* timestamptz */
        {1700, 0, RB_FORM_BINARY, RB_FORM_TEXT},    /* numeric */
        {18, 0, RB_FORM_BINARY, RB_FORM_TEXT},      /* "char" */
        {1007, 23, RB_FORM_BINARY, RB_FORM_TEXT},   /* int4[] */
        {1231, 1700, RB_FORM_BINARY, RB_FORM_TEXT}, /* numeric[] */
        {2205, 0, RB_FORM_TEXT, RB_FORM_TEXT},      /* regclass */
        {2210, 2205, RB_FORM_TEXT, RB_FORM_TEXT},   /* regclass[] */
        {143, 142, RB_FORM_TEXT, RB_FORM_TEXT},     /* xml[] */
        {16400, 0, RB_FORM_TEXT, RB_FORM_TEXT},     /* a composite */
        {16399, 16400, RB_FORM_TEXT, RB_FORM_TEXT}, /* an array of it */
        {16401, 23, RB_FORM_TEXT, RB_FORM_TEXT},    /* an array type of a domain's own */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct rb_type *type;
        struct rb_type_facts facts = {.oid = rows[i].oid, .elem_oid = rows[i].elem};
        assert_int_equal(rb_type_choose(facts, true, &type), rows[i].with);
        assert_true((type != NULL) == (rows[i].with == RB_FORM_NATIVE));
        assert_int_equal(rb_type_choose(facts, false, &type), rows[i].without);
        facts.is_enum = true;
        assert_int_equal(rb_type_choose(facts, i % 2 == 0, &type), RB_FORM_LABEL);
        assert_null(type);
    }
}

/* What stands in a statement as a type must not end it, nor hide what comes behind it. */
static void a_type_in_a_statement_is_nothing_else(void **state)
{
    (void)state;
    static const char *const good[] = {
        "integer",
        "numeric(6,-2)",
        "timestamp(3) with time zone",
        "\"char\"",
        "s.\"my -- \"\"type; /* \n\"[]",
        "interval day to second(3)",
        "stra\303\237e$1_",
    };
    static const char *const bad[] = {
        "",       "integer --", "integer -- \n", "integer /* x */",
        "\"open", "integer; x", "int'",          "int\nDEFAULT now()",
        "a%TYPE", "U&\"x\"",    "numeric(-)",    "int \\",
        "int\tb", "int = 1",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(rb_quote_is_type(good[i]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(rb_quote_is_type(bad[i]));
    }
}

static void the_table_is_found_by_oid_and_by_name(void **state)
{
    (void)state;
    for (uint32_t oid = 0; oid < 6000; oid++) {
        const struct rb_type *type = rb_type_find(oid);
        if (type != NULL) {
            assert_int_equal(type->oid, oid);
            assert_ptr_equal(rb_type_find_name(type->name), type);
        }
    }
    assert_string_equal(rb_type_find(16)->name, "bool");
    assert_string_equal(rb_type_find(5069)->name, "xid8");
    assert_null(rb_type_find(15));
    assert_null(rb_type_find(5070));
}

static void add(struct rb_columns *columns, const char *name, const char *declared, uint32_t oid,
                int32_t typmod, const char *collation)
{
    char texts[5][64];
    snprintf(texts[0], sizeof texts[0], "%s", name);
    snprintf(texts[1], sizeof texts[1], "%s", declared);
    snprintf(texts[2], sizeof texts[2], "pg_catalog.%s", declared);
    snprintf(texts[3], sizeof texts[3], "%s", collation != NULL ? collation : "");
    snprintf(texts[4], sizeof texts[4], "{\"type\":\"%s\"}", declared);
    struct rb_column column = {.name = texts[0],
                               .declared = texts[1],
                               .type_name = texts[2],
                               .collation = collation != NULL ? texts[3] : NULL,
                               .definition = oid >= 16384 ? texts[4] : NULL,
                               .typmod = typmod,
                               .not_null = oid % 2 == 0};
    rb_column_set_type(&column, (struct rb_type_facts){.oid = oid, .elem_oid = 0}, true);
    assert_int_equal(rb_columns_add(columns, &column, NULL), 0);
}

static void expect_equal(const struct rb_column *a, const struct rb_column *b)
{
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->declared, b->declared);
    assert_string_equal(a->type_name, b->type_name);
    assert_true((a->collation == NULL) == (b->collation == NULL));
    if (a->collation != NULL) {
        assert_string_equal(a->collation, b->collation);
    }
    assert_true((a->definition == NULL) == (b->definition == NULL));
    if (a->definition != NULL) {
        assert_string_equal(a->definition, b->definition);
    }
    assert_int_equal(a->oid, b->oid);
    assert_int_equal(a->typmod, b->typmod);
    assert_int_equal(a->not_null, b->not_null);
    assert_int_equal(a->form, b->form);
    assert_int_equal(a->codec, b->codec);
    assert_int_equal(a->arrow, b->arrow);
    assert_int_equal(a->utc, b->utc);
    assert_int_equal(a->from_postgres, b->from_postgres);
    assert_ptr_equal(a->extension, b->extension);
}

static void columns_survive_the_schema(void **state)
{
    (void)state;
    RB_CLEANUP(rb_columns_release) struct rb_columns columns;
    RB_CLEANUP(rb_columns_release) struct rb_columns back;
    rb_columns_init(&columns);
    rb_columns_init(&back);
    for (uint32_t oid = 1; oid < 6000; oid++) {
        if (rb_type_find(oid) != NULL) {
            char name[32];
            snprintf(name, sizeof name, "c \"%u", (unsigned)oid);
            add(&columns, name, rb_type_find(oid)->name, oid, (int32_t)oid - 100,
                oid == 25 ? "pg_catalog.\"C\"" : NULL);
        }
    }
    add(&columns, "mood", "public.mood", 16400, -1, NULL);
    struct ArrowSchema schema;
    assert_int_equal(rb_columns_to_schema(&columns, "[\"id\"]", &schema, NULL), 0);
    assert_int_equal(rb_columns_from_schema(&schema, &back, NULL), 0);
    struct ArrowStringView key;
    assert_int_equal(rb_meta_get(&schema, RB_META_PRIMARY_KEY, &key), 0);
    assert_int_equal(key.size_bytes, strlen("[\"id\"]"));
    schema.release(&schema);
    assert_int_equal(back.n, columns.n);
    for (size_t i = 0; i < back.n; i++) {
        expect_equal(&columns.items[i], &back.items[i]);
    }
    assert_ptr_equal(rb_columns_find(&back, "mood"), &back.items[back.n - 1]);
    assert_null(rb_columns_find(&back, "none"));
}

/* One field named "f" of a type, with or without metadata. */
static int read_one(enum ArrowType type, const struct rb_meta_pair *pairs, size_t n_pairs,
                    struct rb_columns *ret, struct rb_error *err)
{
    struct ArrowSchema schema;
    ArrowSchemaInit(&schema);
    assert_int_equal(ArrowSchemaSetTypeStruct(&schema, 1), 0);
    assert_int_equal(ArrowSchemaSetType(schema.children[0], type), 0);
    assert_int_equal(ArrowSchemaSetName(schema.children[0], "f"), 0);
    if (n_pairs > 0) {
        assert_int_equal(rb_meta_set(schema.children[0], pairs, n_pairs, NULL), 0);
    }
    int status = rb_columns_from_schema(&schema, ret, err);
    schema.release(&schema);
    return status;
}

static void expect_type(struct ArrowSchema *schema, const char *declared)
{
    RB_CLEANUP(rb_columns_release) struct rb_columns columns;
    struct rb_error err = {.status = 0};
    rb_columns_init(&columns);
    assert_int_equal(ArrowSchemaSetName(schema->children[0], "f"), 0);
    int status = rb_columns_from_schema(schema, &columns, &err);
    schema->release(schema);
    if (declared == NULL) {
        assert_int_equal(status, RB_ESCHEMA);
        assert_non_null(strstr(err.message, "\"f\""));
        return;
    }
    assert_int_equal(status, 0);
    assert_string_equal(columns.items[0].declared, declared);
    assert_false(columns.items[0].from_postgres);
}

static struct ArrowSchema *one_field(struct ArrowSchema *schema)
{
    ArrowSchemaInit(schema);
    assert_int_equal(ArrowSchemaSetTypeStruct(schema, 1), 0);
    return schema->children[0];
}

static void foreign_fields_get_a_type(void **state)
{
    (void)state;
    static const struct {
        enum ArrowType arrow;
        const char *declared;
    } rows[] = {
        {NANOARROW_TYPE_BOOL, "boolean"},  {NANOARROW_TYPE_INT16, "smallint"},
        {NANOARROW_TYPE_INT32, "integer"}, {NANOARROW_TYPE_INT64, "bigint"},
        {NANOARROW_TYPE_FLOAT, "real"},    {NANOARROW_TYPE_DOUBLE, "double precision"},
        {NANOARROW_TYPE_STRING, "text"},   {NANOARROW_TYPE_BINARY, "bytea"},
        {NANOARROW_TYPE_DATE32, "date"},
    };
    struct ArrowSchema schema;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(ArrowSchemaSetType(one_field(&schema), rows[i].arrow), 0);
        expect_type(&schema, rows[i].declared);
    }
    static const struct rb_meta_pair json = {RB_META_EXTENSION_NAME, "arrow.json"};
    assert_int_equal(ArrowSchemaSetType(one_field(&schema), NANOARROW_TYPE_STRING), 0);
    assert_int_equal(rb_meta_set(schema.children[0], &json, 1, NULL), 0);
    expect_type(&schema, "json");
    static const int32_t sizes[] = {16, 15};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(ArrowSchemaSetTypeFixedSize(one_field(&schema),
                                                     NANOARROW_TYPE_FIXED_SIZE_BINARY, sizes[i]),
                         0);
        expect_type(&schema, i == 0 ? "uuid" : NULL);
    }
}

static void foreign_times_are_microseconds(void **state)
{
    (void)state;
    static const struct {
        enum ArrowType arrow;
        enum ArrowTimeUnit unit;
        const char *zone, *declared; /* NULL: refused */
    } rows[] = {
        {NANOARROW_TYPE_TIME64, NANOARROW_TIME_UNIT_MICRO, NULL, "time without time zone"},
        {NANOARROW_TYPE_TIME64, NANOARROW_TIME_UNIT_NANO, NULL, NULL},
        {NANOARROW_TYPE_TIMESTAMP, NANOARROW_TIME_UNIT_MICRO, NULL, "timestamp without time zone"},
        {NANOARROW_TYPE_TIMESTAMP, NANOARROW_TIME_UNIT_MICRO, "Asia/Tokyo",
         "timestamp with time zone"},
        {NANOARROW_TYPE_TIMESTAMP, NANOARROW_TIME_UNIT_NANO, NULL, NULL},
        {NANOARROW_TYPE_TIMESTAMP, NANOARROW_TIME_UNIT_MILLI, "UTC", NULL},
        {NANOARROW_TYPE_TIMESTAMP, NANOARROW_TIME_UNIT_SECOND, "UTC", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ArrowSchema schema;
        assert_int_equal(ArrowSchemaSetTypeDateTime(one_field(&schema), rows[i].arrow, rows[i].unit,
                                                    rows[i].zone),
                         0);
        expect_type(&schema, rows[i].declared);
    }
}

static void what_does_not_go_together_is_refused(void **state)
{
    (void)state;
    static const struct rb_meta_pair numeric[] = {{RB_META_PG_TYPE, "numeric"},
                                                  {RB_META_PG_OID, "1700"}};
    static const struct rb_meta_pair int4[] = {{RB_META_PG_TYPE, "integer"},
                                               {RB_META_PG_OID, "23"}};
    static const struct rb_meta_pair opaque[] = {{RB_META_PG_TYPE, "numeric"},
                                                 {RB_META_PG_FORM, "binary"}};
    static const struct rb_meta_pair form[] = {{RB_META_PG_TYPE, "numeric"},
                                               {RB_META_PG_FORM, "sealed"}};
    static const struct {
        enum ArrowType arrow;
        const struct rb_meta_pair *pairs;
        size_t n_pairs;
    } rows[] = {
        {NANOARROW_TYPE_STRING, numeric, 2}, {NANOARROW_TYPE_INT64, int4, 2},
        {NANOARROW_TYPE_STRING, opaque, 2},  {NANOARROW_TYPE_BINARY, form, 2},
        {NANOARROW_TYPE_UINT64, NULL, 0},    {NANOARROW_TYPE_DATE64, NULL, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        RB_CLEANUP(rb_columns_release) struct rb_columns columns;
        rb_columns_init(&columns);
        struct rb_error err = {.status = 0};
        assert_int_equal(read_one(rows[i].arrow, rows[i].pairs, rows[i].n_pairs, &columns, &err),
                         RB_ESCHEMA);
        assert_non_null(strstr(err.message, "\"f\""));
        assert_int_equal(columns.n, 0);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_follow_the_peer),
        cmocka_unit_test(a_type_in_a_statement_is_nothing_else),
        cmocka_unit_test(the_table_is_found_by_oid_and_by_name),
        cmocka_unit_test(columns_survive_the_schema),
        cmocka_unit_test(foreign_fields_get_a_type),
        cmocka_unit_test(foreign_times_are_microseconds),
        cmocka_unit_test(what_does_not_go_together_is_refused),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

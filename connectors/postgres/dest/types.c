/* Types that users made: those of the stream's columns are found in the target schema, or made. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/postgres/dest/dest.h"
#include "gen/connectors/postgres/common/sql.h"
#include "gen/connectors/postgres/dest/sql.h"

/* A type's description, as parsed. */
struct made_type {
    const char *name;
    const char *kind;
    const char *schema; /* at the source */
    struct rb_json_value definition;
    bool row_of_table;
};

static int no_memory(struct rb_error *err)
{
    return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a type");
}

static int type_missing(const char *name, struct rb_error *err)
{
    return rb_error_set(err, RB_ESCHEMA, "TYPE_MISSING", "type %s does not exist", name);
}

/* The value's own text, which ends in 0. */
static int copy_source(struct rb_json_value value, struct rb_buf *ret, struct rb_error *err)
{
    size_t len;
    const char *text = rb_json_source(value, &len);
    return rb_buf_append(ret, text, len) < 0 ? no_memory(err) : 0;
}

/* Writes a reference. *ret (borrowed from `r`): for a statement, or with `final`, of a type that is
 * there by now, as the catalogue has it. */
static int refer(struct rb_dest *dest, struct rb_json_value reference, bool final,
                 struct rb_query_result *r, const char **ret, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf json = RB_BUF_INIT(RB_ABI_JSON_MAX);
    int status = copy_source(reference, &json, err);
    const char *params[] = {dest->config.schema, rb_buf_str(&json)};
    status = status < 0 ? status : rb_dest_query(dest, rb_sql_type_reference, params, 2, r, err);
    if (status < 0) {
        return status;
    }
    const char *extension = rb_json_text(rb_json_get(reference, "extension"), NULL);
    const char *name = rb_json_text(rb_json_get(reference, "name"), "");
    *ret = rb_query_text(r, 0, final ? 1 : 0);
    if (*ret == NULL && extension != NULL) {
        status = rb_error_set(err, RB_ESCHEMA, "EXTENSION_MISSING",
                              "type %s is of the extension \"%s\", which database \"%s\" does not "
                              "have",
                              name, extension, dest->config.database);
        rb_error_set_hint(err, "CREATE EXTENSION \"%s\" in database \"%s\"", extension,
                          dest->config.database);
        return status;
    }
    if (*ret == NULL) {
        return type_missing(name, err);
    }
    return 0;
}

/* A description comes from the peer: collations must be names, checks must be checks. */
static int check_description(const struct made_type *type, struct rb_error *err)
{
    struct rb_json_value parts = rb_json_get(type->definition, "parts");
    for (size_t i = 0; i < rb_json_count(parts); i++) {
        const char *collation =
            rb_json_text(rb_json_get(rb_json_item(parts, i), "collation"), NULL);
        if (collation != NULL && !rb_quote_is_qualified(collation)) {
            return rb_error_set(err, RB_ESCHEMA, "BAD_COLLATION",
                                "%s is not the name of a collation", collation);
        }
    }
    struct rb_json_value checks = rb_json_get(type->definition, "checks");
    for (size_t i = 0; i < rb_json_count(checks); i++) {
        const char *text = rb_json_text(rb_json_item(rb_json_item(checks, i), 1), "");
        if (strncmp(text, "CHECK (", strlen("CHECK (")) != 0) {
            return rb_error_set(err, RB_ESCHEMA, "BAD_CHECK", "%s is not a check", text);
        }
    }
    return 0;
}

/* The types of the parts as they are written here, as a JSON array. */
static int refer_parts(struct rb_dest *dest, const struct made_type *type, struct rb_buf *ret,
                       struct rb_error *err)
{
    struct rb_json_value parts = rb_json_get(type->definition, "parts");
    struct rb_json json;
    rb_json_init(&json, ret);
    rb_json_begin_array(&json);
    for (size_t i = 0; i < rb_json_count(parts); i++) {
        RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
        RB_CLEANUP(rb_query_result_release) struct rb_query_result there;
        rb_query_result_init(&r);
        rb_query_result_init(&there);
        const char *name;
        int status =
            refer(dest, rb_json_get(rb_json_item(parts, i), "type"), false, &r, &name, err);
        /* What passes is a type's name and nothing else. */
        if (status == 0 && !rb_quote_is_type(name)) {
            status =
                rb_error_set(err, RB_ESCHEMA, "BAD_TYPE", "%.200s is not the name of a type", name);
        }
        status =
            status < 0 ? status : rb_dest_query(dest, rb_sql_type_exists, &name, 1, &there, err);
        if (status == 0 && !rb_query_bool(&there, 0, 0)) {
            status = type_missing(name, err);
        }
        if (status < 0) {
            return status;
        }
        rb_json_str(&json, name);
    }
    rb_json_end_array(&json);
    return rb_json_finish(&json) < 0 ? no_memory(err) : 0;
}

static int cannot_make(struct rb_dest *dest, const struct made_type *type, const char *why,
                       struct rb_error *err)
{
    int status = rb_error_set(err, RB_ESCHEMA, "TYPE_MISSING",
                              "type \"%s\".\"%s\" does not exist in database \"%s\", and can't be "
                              "made from \"%s\".\"%s\": it is %s",
                              dest->config.schema, type->name, dest->config.database, type->schema,
                              type->name, why);
    rb_error_set_hint(err, "create it in schema \"%s\" first", dest->config.schema);
    return status;
}

/* A check is an expression of the peer's, which our role will evaluate: it may compute, and nothing
 * else. */
static int check_functions(struct rb_dest *dest, const struct made_type *type, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    const char *params[] = {dest->config.schema, type->name};
    int status = rb_dest_query(dest, rb_sql_type_functions, params, 2, &r, err);
    const char *functions = status == 0 ? rb_query_text(&r, 0, 0) : NULL;
    if (functions == NULL) {
        return status;
    }
    status = rb_error_set(err, RB_ESCHEMA, "CHECK_REFUSED",
                          "a check of the source's domain calls %s, and may do more than look at "
                          "a value",
                          functions);
    rb_error_set_hint(err, "if it is what you want, create domain \"%s\" in schema \"%s\" yourself",
                      type->name, dest->config.schema);
    return status;
}

static int make(struct rb_dest *dest, const struct made_type *type, struct rb_error *err)
{
    if (type->row_of_table) {
        return cannot_make(dest, type, "the row type of a table", err);
    }
    if (strcmp(type->kind, "base") == 0 || strcmp(type->kind, "multirange") == 0 ||
        !rb_json_is_absent(rb_json_get(type->definition, "opclass"))) {
        return cannot_make(dest, type, "made of functions of that server", err);
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf definition = RB_BUF_INIT(RB_ABI_JSON_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf parts = RB_BUF_INIT(RB_ABI_JSON_MAX);
    RB_CLEANUP(rb_query_result_release) struct rb_query_result statements;
    rb_query_result_init(&statements);
    int status = check_description(type, err);
    status = status < 0 ? status : copy_source(type->definition, &definition, err);
    status = status < 0 ? status : refer_parts(dest, type, &parts, err);
    const char *params[] = {dest->config.schema, rb_buf_str(&definition), rb_buf_str(&parts)};
    status =
        status < 0 ? status : rb_dest_query(dest, rb_sql_type_create, params, 3, &statements, err);
    for (size_t i = 0; status == 0 && i < statements.n_rows; i++) {
        /* One statement each, by the extended protocol, which takes no second one. */
        status = rb_query_run(dest->conn, rb_query_text(&statements, i, 0), NULL, 0, RB_QUERY_TEXT,
                              NULL, err);
    }
    status = status < 0 ? status : check_functions(dest, type, err);
    if (status < 0) {
        rb_error_prefix(err, "creating type \"%s\".\"%s\"", dest->config.schema, type->name);
    }
    return status;
}

/* Whether the source's labels are ours and more, in the same order. */
static bool only_adds(struct rb_json_value ours, struct rb_json_value theirs)
{
    size_t found = 0;
    for (size_t i = 0; i < rb_json_count(theirs) && found < rb_json_count(ours); i++) {
        const char *label = rb_json_text(rb_json_item(theirs, i), "");
        found += strcmp(label, rb_json_text(rb_json_item(ours, found), "")) == 0 ? 1 : 0;
    }
    return found == rb_json_count(ours) && found > 0;
}

static bool has_label(struct rb_json_value labels, const char *label)
{
    size_t i = 0;
    while (i < rb_json_count(labels) &&
           strcmp(rb_json_text(rb_json_item(labels, i), ""), label) != 0) {
        i++;
    }
    return i < rb_json_count(labels);
}

static int add_label(struct rb_dest *dest, const struct made_type *type, const char *label,
                     const char *neighbour, bool after, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    const char *params[] = {dest->config.schema, type->name, label, neighbour,
                            after ? "true" : "false"};
    int status = rb_dest_query(dest, rb_sql_type_add_label, params, 5, &r, err);
    status = status < 0 ? status : rb_dest_run_each(dest, &r, err);
    if (status == 0) {
        rb_log(RB_LOG_INFO, "type \"%s\".\"%s\" gets the label '%s', as at the source",
               dest->config.schema, type->name, label);
    }
    return status;
}

/* Those that the source has and we lack, each where the source has it. */
static int add_labels(struct rb_dest *dest, const struct made_type *type, struct rb_json_value ours,
                      struct rb_json_value theirs, struct rb_error *err)
{
    const char *before = rb_json_text(rb_json_item(ours, 0), "");
    const char *last = NULL;
    int status = 0;
    for (size_t i = 0; status == 0 && i < rb_json_count(theirs); i++) {
        const char *label = rb_json_text(rb_json_item(theirs, i), "");
        if (!has_label(ours, label)) {
            status = add_label(dest, type, label, last != NULL ? last : before, last != NULL, err);
        }
        last = label;
    }
    return status;
}

/* Of an enum with other labels. */
static int refuse_labels(struct rb_dest *dest, const struct made_type *type, bool adds,
                         struct rb_json_value theirs, struct rb_error *err)
{
    size_t len;
    const char *text = rb_json_source(theirs, &len);
    int status =
        rb_error_set(err, RB_ESCHEMA, "TYPE_DIFFERS",
                     "type \"%s\".\"%s\" exists with other labels than the source's \"%s\".\"%s\"",
                     dest->config.schema, type->name, type->schema, type->name);
    rb_error_set_hint(err, "%s: %.*s",
                      adds ? "set schema_evolution.type_change: widen, which adds those that are "
                             "missing; the source has"
                           : "make it as the source has it, with ALTER TYPE … RENAME VALUE or ADD "
                             "VALUE",
                      (int)(len < 400 ? len : 400), text);
    return status;
}

static int settle_labels(struct rb_dest *dest, struct rb_evolution *evolution,
                         const struct made_type *type, struct rb_json_value definition,
                         struct rb_error *err)
{
    struct rb_json_value ours = rb_json_get(definition, "labels");
    struct rb_json_value theirs = rb_json_get(type->definition, "labels");
    bool adds = only_adds(ours, theirs);
    int may = adds ? rb_evolve_may_widen(evolution, err) : 0;
    if (may < 0) {
        return may;
    }
    return may == 1 ? add_labels(dest, type, ours, theirs, err)
                    : refuse_labels(dest, type, adds, theirs, err);
}

/* There is one of that name, as `definition` says: it must be the same in all that its values
 * depend on. */
static int compare(struct rb_dest *dest, struct rb_evolution *evolution,
                   const struct made_type *type, struct rb_json_value definition,
                   struct rb_error *err)
{
    size_t ours_len, theirs_len;
    const char *ours = rb_json_source(definition, &ours_len);
    const char *theirs = rb_json_source(type->definition, &theirs_len);
    if (ours_len == theirs_len && ours_len > 0 && memcmp(ours, theirs, ours_len) == 0) {
        return 0;
    }
    if (strcmp(type->kind, "enum") == 0 &&
        strcmp(rb_json_text(rb_json_get(definition, "kind"), ""), "enum") == 0) {
        return settle_labels(dest, evolution, type, definition, err);
    }
    int status = rb_error_set(err, RB_ESCHEMA, "TYPE_DIFFERS",
                              "type \"%s\".\"%s\" exists with another definition than the source's "
                              "\"%s\".\"%s\"",
                              dest->config.schema, type->name, type->schema, type->name);
    rb_error_set_hint(err, "make it as the source has it: %.*s",
                      (int)(theirs_len < 400 ? theirs_len : 400), theirs);
    return status;
}

static int compare_found(struct rb_dest *dest, struct rb_evolution *evolution,
                         const struct made_type *type, const char *oids, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    const char *params[] = {oids, "{-1}"};
    int status = rb_dest_query(dest, rb_sql_type_definitions, params, 2, &r, err);
    struct rb_json_doc *doc = NULL;
    const char *text = status == 0 ? rb_query_text(&r, 0, 2) : NULL;
    if (status == 0) {
        status = text == NULL ? rb_error_set(err, RB_ESCHEMA, "TYPE_MISSING", "the type is gone")
                              : rb_json_parse(text, strlen(text), &doc, err);
    }
    if (status == 0) {
        struct rb_json_value types = rb_json_get(rb_json_root(doc), "types");
        size_t n = rb_json_count(types); /* 0: it is the system's */
        struct rb_json_value last = rb_json_item(types, n > 0 ? n - 1 : 0);
        status = compare(dest, evolution, type, rb_json_get(last, "definition"), err);
    }
    rb_json_free(doc);
    return status;
}

static int settle_type(struct rb_dest *dest, struct rb_evolution *evolution,
                       struct rb_json_value item, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result found;
    rb_query_result_init(&found);
    struct rb_json_value definition = rb_json_get(item, "definition");
    struct made_type type = {
        .name = rb_json_text(rb_json_get(definition, "name"), ""),
        .kind = rb_json_text(rb_json_get(definition, "kind"), ""),
        .schema = rb_json_text(rb_json_get(item, "schema"), ""),
        .definition = definition,
        .row_of_table = rb_json_truth(rb_json_get(item, "row_of_table"), false),
    };
    const char *params[] = {dest->config.schema, type.name};
    int status = rb_dest_query(dest, rb_sql_type_find, params, 2, &found, err);
    if (status < 0 || found.n_rows == 0) {
        return status < 0 ? status : make(dest, &type, err);
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf oid = RB_BUF_INIT(32);
    if (rb_buf_printf(&oid, "{%s}", rb_query_text(&found, 0, 0)) < 0) {
        return no_memory(err);
    }
    return compare_found(dest, evolution, &type, rb_buf_str(&oid), err);
}

/* The column's types, and its own as it is named here. */
static int settle_column(struct rb_dest *dest, struct rb_evolution *evolution,
                         struct rb_column *column, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    struct rb_json_doc *doc = NULL;
    int status = rb_json_parse(column->definition, strlen(column->definition), &doc, err);
    struct rb_json_value root = rb_json_root(doc);
    struct rb_json_value types = rb_json_get(root, "types");
    for (size_t i = 0; status == 0 && i < rb_json_count(types); i++) {
        status = settle_type(dest, evolution, rb_json_item(types, i), err);
    }
    const char *name = NULL;
    status = status < 0 ? status : refer(dest, rb_json_get(root, "type"), true, &r, &name, err);
    if (status == 0) {
        char *declared = strdup(name);
        if (declared == NULL) {
            status = no_memory(err);
        } else {
            free(column->declared);
            column->declared = declared;
        }
    }
    rb_json_free(doc);
    if (status < 0) {
        rb_error_prefix(err, "column \"%s\", type %s", column->name, column->declared);
    }
    return status;
}

int rb_dest_settle_types(struct rb_dest *dest, struct rb_evolution *evolution,
                         struct rb_columns *columns, struct rb_error *err)
{
    int status = 0;
    bool any = false;
    for (size_t i = 0; status == 0 && i < columns->n; i++) {
        if (columns->items[i].definition == NULL) {
            continue;
        }
        if (!any) {
            /* Two connections that make a type at once would meet on the catalogue's own index. */
            status =
                rb_query_exec(dest->conn,
                              dest->dry ? "SELECT pg_advisory_xact_lock(5931742210746715)"
                                        : "BEGIN; SELECT pg_advisory_xact_lock(5931742210746715)",
                              err);
            any = true;
        }
        status = status < 0 ? status : settle_column(dest, evolution, &columns->items[i], err);
    }
    return any && status == 0 && !dest->dry ? rb_query_exec(dest->conn, "COMMIT", err) : status;
}

#include "connectors/postgres/source/lossy.h"

#include <string.h>

#include "base/json.h"
#include "rapidbyte/host.h"

/* docs/types.md, "Types of extensions". */
static const struct {
    const char *extension, *type;
} lossy[] = {
    {"seg", "seg"},         {"postgis", "box2d"},      {"postgis", "box3d"},
    {"pg_sphere", "sline"}, {"pg_sphere", "sellipse"}, {"icu_ext", "icu_timestamptz"},
    {"tdigest", "tdigest"}, /* its binary form is exact, and not used yet */
};

/* A reference to such a type (docs/protocol.md, "Types that users made"). */
static const char *find_in(struct rb_json_value reference)
{
    const char *extension = rb_json_text(rb_json_get(reference, "extension"), "");
    const char *name = rb_json_text(rb_json_get(reference, "name"), "");
    for (size_t i = 0; i < sizeof lossy / sizeof lossy[0]; i++) {
        if (strcmp(lossy[i].extension, extension) == 0 && strcmp(lossy[i].type, name) == 0) {
            return lossy[i].type;
        }
    }
    return NULL;
}

/* The first of them that the column's type is, or is made of; NULL: none. */
static const char *find_in_definition(struct rb_json_value definition)
{
    const char *found = find_in(rb_json_get(definition, "type"));
    struct rb_json_value types = rb_json_get(definition, "types");
    for (size_t i = 0; found == NULL && i < rb_json_count(types); i++) {
        struct rb_json_value parts =
            rb_json_get(rb_json_get(rb_json_item(types, i), "definition"), "parts");
        for (size_t j = 0; found == NULL && j < rb_json_count(parts); j++) {
            found = find_in(rb_json_get(rb_json_item(parts, j), "type"));
        }
    }
    return found;
}

static int find(const struct rb_column *column, const char **ret, struct rb_error *err)
{
    struct rb_json_doc *doc = NULL;
    *ret = NULL;
    if (column->definition == NULL) {
        return 0;
    }
    int r = rb_json_parse(column->definition, strlen(column->definition), &doc, err);
    if (r == 0) {
        *ret = find_in_definition(rb_json_root(doc));
    }
    rb_json_free(doc);
    return r;
}

int rb_lossy_check(const struct rb_source *source, const char *stream,
                   const struct rb_columns *columns, bool tell, struct rb_error *err)
{
    for (size_t i = 0; i < columns->n; i++) {
        const struct rb_column *column = &columns->items[i];
        const char *type;
        int r = find(column, &type, err);
        if (r < 0) {
            return r;
        }
        if (type != NULL && !source->allow_lossy) {
            r = rb_error_set(err, RB_ESCHEMA, "LOSSY_TYPE",
                             "column \"%s\" (%s): values of %s travel by their text, which has "
                             "fewer digits than they have",
                             column->name, column->declared, type);
            rb_error_set_hint(err, "set on_lossy_type: warn in the source's config, which moves "
                                   "what the text says, or leave the column out (columns)");
            return r;
        }
        if (type != NULL && tell) {
            rb_log(RB_LOG_WARN,
                   "stream '%s': column \"%s\" (%s): values of %s travel by their text, and may "
                   "lose digits (on_lossy_type: warn)",
                   stream, column->name, column->declared, type);
        }
    }
    return 0;
}

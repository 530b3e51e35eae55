#include "host/engine/document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/engine/context.h"
#include "host/engine/view.h"

/* ---- writing */

static bool is_secret(yyjson_val *schema, const char *name)
{
    yyjson_val *property = yyjson_obj_get(yyjson_obj_get(schema, "properties"), name);
    return yyjson_is_true(yyjson_obj_get(property, "x-secret"));
}

/* A secret is left out, as a reference and in plain text: another password loads the same. */
static void write_config(struct rb_json *json, const struct rb_connector_use *use)
{
    const char *text = use->config_json != NULL ? use->config_json : "{}";
    const char *schema_text = use->manifest != NULL ? use->manifest->config_schema_json : "{}";
    RB_CLEANUP(rb_view_free) yyjson_doc *config = yyjson_read(text, strlen(text), 0);
    RB_CLEANUP(rb_view_free)
    yyjson_doc *schema = yyjson_read(schema_text, strlen(schema_text), 0);
    size_t i, n;
    yyjson_val *key, *value;
    rb_json_begin_object(json);
    yyjson_obj_foreach(yyjson_doc_get_root(config), i, n, key, value)
    {
        RB_CLEANUP(rb_view_text_free) char *raw = yyjson_val_write(value, 0, NULL);
        if (raw != NULL && !is_secret(yyjson_doc_get_root(schema), yyjson_get_str(key))) {
            rb_json_member_raw(json, yyjson_get_str(key), raw, strlen(raw));
        }
    }
    rb_json_end_object(json);
}

static void write_connector(struct rb_json *json, const struct rb_connector_use *use)
{
    rb_json_begin_object(json);
    rb_json_member_str(json, "use", use->use);
    rb_json_key(json, "config");
    write_config(json, use);
    rb_json_end_object(json);
}

static void write_text(struct rb_json *json, const char *key, const char *text)
{
    if (text != NULL) {
        rb_json_member_str(json, key, text);
    }
}

static void write_stream(struct rb_json *json, const struct rb_stream *stream)
{
    rb_json_begin_object(json);
    rb_json_member_str(json, "sync_mode", rb_sync_mode_name(stream->sync_mode));
    rb_json_member_str(json, "write_mode", rb_write_mode_name(stream->write_mode));
    write_text(json, "cursor_field", stream->cursor_field);
    if (stream->cursor_field != NULL) {
        rb_json_member_str(json, "cursor_nulls", rb_cursor_nulls_name(stream->cursor_nulls));
        rb_json_member_i64(json, "lookback", stream->lookback);
    }
    write_text(json, "schema", stream->source_schema);
    write_text(json, "table", stream->source_table);
    write_text(json, "destination_table", stream->destination_table);
    write_text(json, "where", stream->where);
    rb_context_write_names(json, "columns", &stream->columns);
    rb_context_write_names(json, "primary_key", &stream->primary_key);
    rb_json_member_str(json, "on_data_error", rb_on_data_error_name(stream->on_data_error));
    rb_json_end_object(json);
}

static void write_patterns(struct rb_json *json, const struct rb_pipeline *pipeline)
{
    rb_json_key(json, "patterns");
    rb_json_begin_object(json);
    for (size_t i = 0; i < pipeline->n_patterns; i++) {
        const struct rb_stream_pattern *pattern = &pipeline->patterns[i];
        rb_json_key(json, pattern->text);
        if (pattern->excludes) {
            rb_json_str(json, "excluded");
        } else {
            write_stream(json, &pattern->stream);
        }
    }
    rb_json_end_object(json);
}

void rb_document_write(struct rb_json *json, const struct rb_pipeline *pipeline, bool full_refresh)
{
    rb_json_begin_object(json);
    rb_json_key(json, "source");
    write_connector(json, &pipeline->source);
    rb_json_key(json, "transforms");
    rb_json_begin_array(json);
    for (size_t i = 0; i < pipeline->n_transforms; i++) {
        write_connector(json, &pipeline->transforms[i]);
    }
    rb_json_end_array(json);
    rb_json_key(json, "destination");
    write_connector(json, &pipeline->destination);
    rb_json_key(json, "streams");
    rb_json_begin_object(json);
    for (size_t i = 0; i < pipeline->n_streams; i++) {
        rb_json_key(json, pipeline->streams[i].name);
        write_stream(json, &pipeline->streams[i]);
    }
    rb_json_end_object(json);
    write_patterns(json, pipeline);
    rb_json_member_bool(json, "full_refresh", full_refresh);
    rb_json_end_object(json);
}

/* ---- comparing */

static void add_path(char path[RB_DOCUMENT_PATH_MAX], const char *part)
{
    size_t len = strlen(path);
    snprintf(path + len, RB_DOCUMENT_PATH_MAX - len, "%s%s", len > 0 ? "." : "", part);
}

/* The first member of `a` that `b` has otherwise, or not at all. */
static const char *first_difference(yyjson_val *a, yyjson_val *b)
{
    size_t i, n;
    yyjson_val *key, *value;
    yyjson_obj_foreach(a, i, n, key, value)
    {
        yyjson_val *other = yyjson_obj_get(b, yyjson_get_str(key));
        if (other == NULL || !yyjson_equals(value, other)) {
            return yyjson_get_str(key);
        }
    }
    return NULL;
}

static bool differs(yyjson_val *a, yyjson_val *b, char path[RB_DOCUMENT_PATH_MAX])
{
    if (a != NULL && b != NULL && yyjson_equals(a, b)) {
        return false;
    }
    while (yyjson_is_obj(a) && yyjson_is_obj(b)) {
        const char *name = first_difference(a, b);
        name = name != NULL ? name : first_difference(b, a);
        if (name == NULL) {
            break;
        }
        add_path(path, name);
        a = yyjson_obj_get(a, name);
        b = yyjson_obj_get(b, name);
    }
    return true;
}

bool rb_document_differs(yyjson_val *a, yyjson_val *b, char ret_path[RB_DOCUMENT_PATH_MAX])
{
    ret_path[0] = '\0';
    return differs(a, b, ret_path);
}

static bool member_differs(yyjson_val *a, yyjson_val *b, const char *name,
                           char path[RB_DOCUMENT_PATH_MAX])
{
    snprintf(path, RB_DOCUMENT_PATH_MAX, "%s", name);
    return differs(yyjson_obj_get(a, name), yyjson_obj_get(b, name), path);
}

bool rb_document_stream_differs(yyjson_val *a, yyjson_val *b, const char *stream,
                                char ret_path[RB_DOCUMENT_PATH_MAX])
{
    if (member_differs(a, b, "source", ret_path) || member_differs(a, b, "transforms", ret_path) ||
        member_differs(a, b, "destination", ret_path)) {
        return true;
    }
    yyjson_val *of_a = yyjson_obj_get(yyjson_obj_get(a, "streams"), stream);
    yyjson_val *of_b = yyjson_obj_get(yyjson_obj_get(b, "streams"), stream);
    if (of_a == NULL && of_b == NULL) {
        return member_differs(a, b, "patterns", ret_path);
    }
    snprintf(ret_path, RB_DOCUMENT_PATH_MAX, "streams");
    add_path(ret_path, stream);
    return differs(of_a, of_b, ret_path);
}

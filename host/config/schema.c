#include "host/config/schema.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "base/json.h"
#include "host/config/doc.h"
#include "host/config/home.h"
#include "host/config/passfile.h"
#include "host/config/scalar.h"
#include "host/config/secret.h"
#include "host/config/service.h"
#include "base/suggest.h"
#include "host/config/url.h"

enum { CONFIG_JSON_MAX = 8 * 1024 * 1024 };

/* "x-network", and what the option is called in a URL's query. */
static const struct {
    const char *name, *url_option;
} network_keys[RB_NETWORK_KEYS] = {
    [RB_NETWORK_HOST] = {"host", "host"},
    [RB_NETWORK_PORT] = {"port", "port"},
    [RB_NETWORK_TLS_MODE] = {"tls_mode", "sslmode"},
    [RB_NETWORK_TLS_ROOT_CERT] = {"tls_root_cert", "sslrootcert"},
    [RB_NETWORK_TLS_CERT] = {"tls_cert", "sslcert"},
    [RB_NETWORK_TLS_KEY] = {"tls_key", "sslkey"},
    [RB_NETWORK_TLS_CRL] = {"tls_crl", "sslcrl"},
    [RB_NETWORK_CHANNEL_BINDING] = {"channel_binding", "channel_binding"},
};

/* A mapping in place of a secret, and what it came to: a command runs once. */
struct fetched {
    const struct rb_yaml *from;
    struct rb_yaml *text;
};

struct apply {
    struct rb_doc *doc;
    const struct rb_yaml *section;
    bool plaintext;
    struct rb_json json;
    struct rb_config *config;
    struct rb_url url;
    struct rb_url service;  /* what the service file says, in the same words */
    yyjson_val *properties; /* of the whole configuration */
    bool in_passfile;       /* looking for what the password file is asked by */
    struct fetched fetched[RB_SECRETS_MAX];
    size_t n_fetched;
};

/* What a property is to be: the document's or another's text, or the schema's default. */
struct resolved {
    const struct rb_yaml *node;
    yyjson_val *fallback;
};

static void emit_value(struct apply *a, yyjson_val *schema, const struct rb_yaml *node,
                       const char *name);

static bool flag(yyjson_val *schema, const char *annotation)
{
    return yyjson_get_bool(yyjson_obj_get(schema, annotation));
}

static const char *annotation(yyjson_val *schema, const char *key)
{
    return yyjson_get_str(yyjson_obj_get(schema, key));
}

/* Without "type" everything is allowed. */
static bool allows(yyjson_val *schema, const char *type)
{
    yyjson_val *types = yyjson_obj_get(schema, "type"), *item = NULL;
    size_t i = 0, max = 0;
    if (types == NULL) {
        return true;
    }
    yyjson_arr_foreach(types, i, max, item)
    {
        if (yyjson_equals_str(item, type)) {
            return true;
        }
    }
    return yyjson_equals_str(types, type);
}

static const char *type_words(struct apply *a, yyjson_val *schema)
{
    yyjson_val *types = yyjson_obj_get(schema, "type");
    const char *type =
        yyjson_is_arr(types) ? yyjson_get_str(yyjson_arr_get_first(types)) : yyjson_get_str(types);
    static const struct {
        const char *type, *words;
    } names[] = {{"object", "a mapping"}, {"array", "a list"},          {"integer", "an integer"},
                 {"number", "a number"},  {"boolean", "true or false"}, {"string", "a text"}};
    for (size_t i = 0; type != NULL && i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i].type, type) == 0) {
            return names[i].words;
        }
    }
    return rb_arena_printf(a->doc->arena, "a value of type %s", type == NULL ? "?" : type);
}

static void wrong_type(struct apply *a, yyjson_val *schema, const struct rb_yaml *node,
                       const char *name)
{
    const char *shown = flag(schema, "x-secret") && node->kind == RB_YAML_SCALAR
                            ? "what stands here"
                            : rb_doc_show(a->doc, node);
    rb_doc_mistake(a->doc, node, annotation(schema, "description"), "%s: %s is expected, not %s",
                   name, type_words(a, schema), shown);
}

static void check_enum(struct apply *a, yyjson_val *schema, const struct rb_yaml *node,
                       const char *name)
{
    yyjson_val *words = yyjson_obj_get(schema, "enum"), *word = NULL;
    size_t i = 0, max = 0;
    RB_CLEANUP(rb_buf_release) struct rb_buf list = RB_BUF_INIT(1024);
    struct rb_suggest suggest;
    rb_suggest_init(&suggest, node->text);
    if (yyjson_arr_size(words) == 0) {
        return;
    }
    yyjson_arr_foreach(words, i, max, word)
    {
        int64_t number = 0;
        if (yyjson_is_str(word)) {
            if (strcmp(yyjson_get_str(word), node->text) == 0) {
                return;
            }
            rb_suggest_offer(&suggest, yyjson_get_str(word));
            (void)rb_buf_printf(&list, "%s%s", i == 0 ? "" : ", ", yyjson_get_str(word));
        } else if (yyjson_is_int(word)) {
            if (rb_scalar_i64(node->text, &number) && number == yyjson_get_sint(word)) {
                return;
            }
            (void)rb_buf_printf(&list, "%s%" PRId64, i == 0 ? "" : ", ", yyjson_get_sint(word));
        }
    }
    rb_doc_mistake(a->doc, node, rb_doc_did_you_mean(a->doc, &suggest), "%s: %s is none of %s",
                   name, rb_doc_show(a->doc, node), rb_buf_str(&list));
}

static void check_limits(struct apply *a, yyjson_val *schema, const struct rb_yaml *node,
                         const char *name, double value)
{
    yyjson_val *minimum = yyjson_obj_get(schema, "minimum");
    yyjson_val *maximum = yyjson_obj_get(schema, "maximum");
    if (yyjson_is_num(minimum) && value < yyjson_get_num(minimum)) {
        rb_doc_mistake(a->doc, node, NULL, "%s: at least %.15g is needed, not %s", name,
                       yyjson_get_num(minimum), rb_doc_show(a->doc, node));
    }
    if (yyjson_is_num(maximum) && value > yyjson_get_num(maximum)) {
        rb_doc_mistake(a->doc, node, NULL, "%s: at most %.15g is possible, not %s", name,
                       yyjson_get_num(maximum), rb_doc_show(a->doc, node));
    }
}

static void emit_secret(struct apply *a, const char *value)
{
    if (a->plaintext) {
        rb_json_str(&a->json, value);
        return;
    }
    if (a->config->n_secrets == RB_SECRETS_MAX || a->config->secrets == NULL) {
        rb_doc_mistake(a->doc, a->section, NULL, "there are more than %d secrets",
                       (int)RB_SECRETS_MAX);
        return;
    }
    a->config->secrets[a->config->n_secrets++] = rb_arena_strdup(a->doc->arena, value);
    rb_json_begin_object(&a->json);
    rb_json_member_i64(&a->json, "$secret", (int64_t)a->config->n_secrets);
    rb_json_end_object(&a->json);
}

/* A number as YAML's core schema sees it; 0123 stays a text. */
static bool is_canonical_integer(const char *text, int64_t *ret)
{
    const char *digits = *text == '-' ? text + 1 : text;
    return *text != '+' && (digits[0] != '0' || digits[1] == '\0') && rb_scalar_i64(text, ret);
}

static void emit_scalar(struct apply *a, yyjson_val *schema, const struct rb_yaml *node,
                        const char *name)
{
    bool typed = yyjson_obj_get(schema, "type") != NULL;
    /* A variable's value has no quotes of its own, whatever stood around it. */
    bool bare = node->plain || (typed && node->substituted);
    int64_t integer = 0;
    double number = 0;
    if (rb_yaml_is_null(node) && allows(schema, "null")) {
        rb_json_null(&a->json);
        return;
    }
    if (bare && allows(schema, "boolean") &&
        (strcmp(node->text, "true") == 0 || strcmp(node->text, "false") == 0)) {
        rb_json_bool(&a->json, node->text[0] == 't');
        return;
    }
    check_enum(a, schema, node, name);
    if (bare && (allows(schema, "integer") || allows(schema, "number")) &&
        (typed ? rb_scalar_i64(node->text, &integer)
               : is_canonical_integer(node->text, &integer))) {
        check_limits(a, schema, node, name, (double)integer);
        rb_json_i64(&a->json, integer);
    } else if (bare && allows(schema, "number") && rb_scalar_double(node->text, &number)) {
        check_limits(a, schema, node, name, number);
        rb_json_double(&a->json, number);
    } else if (allows(schema, "string")) {
        rb_json_str(&a->json, node->text);
    } else {
        wrong_type(a, schema, node, name);
    }
}

static void emit_array(struct apply *a, yyjson_val *schema, const struct rb_yaml *node,
                       const char *name)
{
    if (!allows(schema, "array")) {
        wrong_type(a, schema, node, name);
        return;
    }
    rb_json_begin_array(&a->json);
    for (const struct rb_yaml *c = node->child; c != NULL; c = c->next) {
        emit_value(a, yyjson_obj_get(schema, "items"), c, name);
    }
    rb_json_end_array(&a->json);
}

/* A text that the document does not hold, as a node of its own. Its value is never shown. */
static struct rb_yaml *synthesize(struct apply *a, const char *text)
{
    struct rb_yaml *node = rb_arena_alloc(a->doc->arena, 1, sizeof *node);
    if (node != NULL) {
        *node = (struct rb_yaml){.kind = RB_YAML_SCALAR,
                                 .line = a->section->line,
                                 .column = a->section->column,
                                 .text = rb_arena_strdup(a->doc->arena, text),
                                 .plain = true,
                                 .substituted = true};
    }
    return node;
}

static enum rb_network_key network_key(yyjson_val *schema)
{
    const char *name = annotation(schema, "x-network");
    for (int i = 0; name != NULL && i < RB_NETWORK_KEYS; i++) {
        if (strcmp(name, network_keys[i].name) == 0) {
            return (enum rb_network_key)i;
        }
    }
    return RB_NETWORK_KEYS;
}

/* What URL or service say of a property: by its name, or by libpq's name for what it means. */
static const char *url_value(const struct rb_url *url, const char *name, yyjson_val *schema)
{
    const char *value = rb_url_get(url, name);
    enum rb_network_key key = network_key(schema);
    return value != NULL || key == RB_NETWORK_KEYS ? value
                                                   : rb_url_get(url, network_keys[key].url_option);
}

/* A secret's own node, or one with what the mapping in its place leads to: broken after a mistake,
 * which is reported. */
static const struct rb_yaml *fetch(struct apply *a, yyjson_val *schema, const struct rb_yaml *node,
                                   const char *name)
{
    if (node == NULL || node->kind != RB_YAML_MAPPING || !flag(schema, "x-secret")) {
        return node;
    }
    for (size_t i = 0; i < a->n_fetched; i++) {
        if (a->fetched[i].from == node) {
            return a->fetched[i].text;
        }
    }
    const char *text = a->n_fetched == RB_SECRETS_MAX ? "" : rb_secret_read(a->doc, node, name);
    struct rb_yaml *copy = synthesize(a, text == NULL ? "" : text);
    if (copy != NULL) {
        copy->line = node->line;
        copy->column = node->column;
        copy->broken = text == NULL;
    }
    if (a->n_fetched < RB_SECRETS_MAX) { /* emit_secret refuses more */
        a->fetched[a->n_fetched++] = (struct fetched){.from = node, .text = copy};
    }
    return copy;
}

static struct resolved resolve(struct apply *a, const char *name, yyjson_val *schema,
                               const struct rb_yaml *object, bool top);

static const char *resolved_text(struct apply *a, const char *name, const struct rb_yaml *object)
{
    yyjson_val *schema = yyjson_obj_get(a->properties, name);
    struct resolved r = resolve(a, name, schema, object, true);
    if (r.node != NULL && r.node->kind == RB_YAML_SCALAR) {
        return r.node->text;
    }
    if (yyjson_is_int(r.fallback)) {
        return rb_arena_printf(a->doc->arena, "%" PRId64, yyjson_get_sint(r.fallback));
    }
    return yyjson_get_str(r.fallback);
}

/* The document, the URL, the service, the environment, the password file, the system, the schema's
 * default: the first that says something. */
static struct resolved resolve(struct apply *a, const char *name, yyjson_val *schema,
                               const struct rb_yaml *object, bool top)
{
    struct resolved none = {.node = NULL};
    const struct rb_yaml *node =
        fetch(a, schema, object == NULL ? NULL : rb_yaml_get(object, name), name);
    const char *url = top ? url_value(&a->url, name, schema) : NULL;
    const char *variable = annotation(schema, "x-env");
    const char *value = variable == NULL ? NULL : getenv(variable);
    url = top && url == NULL ? url_value(&a->service, name, schema) : url;
    if (node != NULL && !rb_yaml_is_null(node)) {
        return (struct resolved){.node = node};
    }
    if (url != NULL) {
        return (struct resolved){.node = synthesize(a, url)};
    }
    if (value != NULL && value[0] != '\0') {
        return (struct resolved){.node = synthesize(a, value)};
    }
    if (top && flag(schema, "x-passfile") && !a->in_passfile) {
        a->in_passfile = true;
        value = rb_passfile_find(
            a->doc, a->section, resolved_text(a, "host", object), resolved_text(a, "port", object),
            resolved_text(a, "database", object), resolved_text(a, "user", object));
        a->in_passfile = false;
        if (value != NULL) {
            return (struct resolved){.node = synthesize(a, value)};
        }
    }
    char user[RB_HOME_USER_MAX];
    if (top && flag(schema, "x-system-user") && rb_home_user(user)) {
        return (struct resolved){.node = synthesize(a, rb_arena_printf(a->doc->arena, "%s", user))};
    }
    none.fallback = yyjson_obj_get(schema, "default");
    return none;
}

static void note_network(struct apply *a, yyjson_val *schema, const struct resolved *r)
{
    enum rb_network_key key = network_key(schema);
    if (key == RB_NETWORK_KEYS) {
        return;
    }
    const struct rb_yaml *node = r->node;
    if (node == NULL && yyjson_is_str(r->fallback)) {
        node = synthesize(a, yyjson_get_str(r->fallback));
    } else if (node == NULL && yyjson_is_int(r->fallback)) {
        node =
            synthesize(a, rb_arena_printf(a->doc->arena, "%" PRId64, yyjson_get_sint(r->fallback)));
    }
    if (node != NULL && node->kind == RB_YAML_SCALAR && node->text[0] != '\0') {
        a->config->network[key] = node;
        a->config->tls_mode_given |= key == RB_NETWORK_TLS_MODE && r->node != NULL;
    }
}

static void emit_fallback(struct apply *a, yyjson_val *schema, yyjson_val *fallback)
{
    size_t len = 0;
    if (flag(schema, "x-secret") && yyjson_is_str(fallback)) {
        emit_secret(a, yyjson_get_str(fallback));
        return;
    }
    char *json = yyjson_val_write(fallback, YYJSON_WRITE_NOFLAG, &len);
    rb_json_raw(&a->json, json, len);
    free(json);
}

static bool is_required(yyjson_val *schema, const char *name)
{
    yyjson_val *list = yyjson_obj_get(schema, "required"), *item = NULL;
    size_t i = 0, max = 0;
    yyjson_arr_foreach(list, i, max, item)
    {
        if (yyjson_equals_str(item, name)) {
            return true;
        }
    }
    return false;
}

static void emit_property(struct apply *a, yyjson_val *object_schema, const char *name,
                          yyjson_val *schema, const struct rb_yaml *object, const char *what,
                          bool top)
{
    struct resolved r = resolve(a, name, schema, object, top);
    const char *variable = annotation(schema, "x-env");
    if (top) {
        const char *url = url_value(&a->url, name, schema);
        if (url != NULL && r.node != NULL && r.node->kind == RB_YAML_SCALAR &&
            strcmp(url, r.node->text) != 0) {
            rb_doc_mistake(a->doc, r.node, "say it once", "%s: the connection URL says another",
                           name);
        }
        note_network(a, schema, &r);
    }
    if (r.node == NULL && r.fallback == NULL) {
        if (is_required(object_schema, name)) {
            rb_doc_mistake(a->doc, object == NULL ? a->section : object,
                           variable == NULL
                               ? annotation(schema, "description")
                               : rb_arena_printf(a->doc->arena,
                                                 "it may also come from the variable %s", variable),
                           "key '%s' is missing in %s", name, what);
        }
        return;
    }
    if (annotation(schema, "x-url") != NULL || annotation(schema, "x-service") != NULL) {
        return; /* taken apart; it may hold a password */
    }
    rb_json_key(&a->json, name);
    if (r.node != NULL) {
        emit_value(a, schema, r.node, name);
    } else {
        emit_fallback(a, schema, r.fallback);
    }
}

/* Keys that `properties` does not have. Unless the schema says otherwise they are mistakes. */
static void emit_others(struct apply *a, yyjson_val *schema, const struct rb_yaml *object,
                        const char *name)
{
    yyjson_val *properties = yyjson_obj_get(schema, "properties"), *key = NULL;
    yyjson_val *others = yyjson_obj_get(schema, "additionalProperties");
    bool allowed = others == NULL ? properties == NULL : !yyjson_is_false(others);
    for (const struct rb_yaml *c = object->child; c != NULL; c = c->next) {
        struct rb_suggest suggest;
        if (yyjson_obj_get(properties, c->key) != NULL) {
            continue;
        }
        if (allowed) {
            rb_json_key(&a->json, c->key);
            emit_value(a, yyjson_is_obj(others) ? others : NULL, c, c->key);
            continue;
        }
        rb_suggest_init(&suggest, c->key);
        yyjson_obj_iter it = yyjson_obj_iter_with(properties);
        while ((key = yyjson_obj_iter_next(&it)) != NULL) {
            rb_suggest_offer(&suggest, yyjson_get_str(key));
        }
        rb_doc_mistake_key(a->doc, c, rb_doc_did_you_mean(a->doc, &suggest),
                           "unknown key '%s' in %s", c->key, name);
    }
}

/* `object` NULL: nothing was said. */
static void emit_object(struct apply *a, yyjson_val *schema, const struct rb_yaml *object,
                        const char *name, bool top)
{
    yyjson_val *properties = yyjson_obj_get(schema, "properties"), *key = NULL, *value = NULL;
    if (!allows(schema, "object")) {
        wrong_type(a, schema, object == NULL ? a->section : object, name);
        return;
    }
    rb_json_begin_object(&a->json);
    yyjson_obj_iter it = yyjson_obj_iter_with(properties);
    while ((key = yyjson_obj_iter_next(&it)) != NULL) {
        value = yyjson_obj_iter_get_val(key);
        emit_property(a, schema, yyjson_get_str(key), value, object, name, top);
    }
    if (object != NULL) {
        rb_doc_check_duplicates(a->doc, object);
        emit_others(a, schema, object, name);
    }
    rb_json_end_object(&a->json);
}

static void emit_value(struct apply *a, yyjson_val *schema, const struct rb_yaml *node,
                       const char *name)
{
    node = fetch(a, schema, node, name);
    if (node == NULL) {
        return; /* memory; the arena remembers */
    }
    switch (node->kind) {
    case RB_YAML_MAPPING:
        emit_object(a, schema, node, name, false);
        break;
    case RB_YAML_SEQUENCE:
        emit_array(a, schema, node, name);
        break;
    case RB_YAML_SCALAR:
    default:
        if (flag(schema, "x-secret")) {
            emit_secret(a, node->text);
        } else {
            emit_scalar(a, schema, node, name);
        }
        break;
    }
}

/* What is said of the first property with this annotation. */
static const struct rb_yaml *said_of(struct apply *a, const char *key, const struct rb_yaml *config)
{
    yyjson_val *name = NULL;
    yyjson_obj_iter it = yyjson_obj_iter_with(a->properties);
    while ((name = yyjson_obj_iter_next(&it)) != NULL) {
        yyjson_val *schema = yyjson_obj_iter_get_val(name);
        if (annotation(schema, key) != NULL) {
            return resolve(a, yyjson_get_str(name), schema, config, true).node;
        }
    }
    return NULL;
}

static void take_url_and_service(struct apply *a, const struct rb_yaml *config)
{
    const struct rb_yaml *node = said_of(a, "x-url", config);
    struct rb_url said = {.n_parts = 0};
    if (node != NULL && rb_url_parse(a->doc, node, &said)) {
        a->url = said;
    }
    node = said_of(a, "x-service", config);
    if (node != NULL && node->kind == RB_YAML_SCALAR &&
        rb_service_read(a->doc, node, node->text, &said)) {
        a->service = said;
    }
}

/* Options that no property stands for would be ignored. */
static void check_options(struct apply *a, const struct rb_url *url, const char *whose)
{
    for (size_t p = 0; p < url->n_parts; p++) {
        yyjson_val *key = NULL, *schema = NULL;
        bool known = false;
        yyjson_obj_iter it = yyjson_obj_iter_with(a->properties);
        while ((key = yyjson_obj_iter_next(&it)) != NULL) {
            schema = yyjson_obj_iter_get_val(key);
            enum rb_network_key network = network_key(schema);
            known = known || yyjson_equals_str(key, url->parts[p].name) ||
                    (network != RB_NETWORK_KEYS &&
                     strcmp(network_keys[network].url_option, url->parts[p].name) == 0);
        }
        if (!known) {
            rb_doc_mistake(a->doc, a->section, NULL, "the %s's option '%s' is not supported", whose,
                           url->parts[p].name);
        }
    }
}

static void apply_root(struct apply *a, yyjson_val *schema, const struct rb_yaml *config)
{
    bool nothing = config == NULL || rb_yaml_is_null(config);
    if (!nothing && config->kind != RB_YAML_MAPPING) {
        rb_doc_mistake(a->doc, config, NULL, "config: a mapping (key: value) is expected, not %s",
                       rb_doc_show(a->doc, config));
        return;
    }
    a->properties = yyjson_obj_get(schema, "properties");
    take_url_and_service(a, config);
    check_options(a, &a->url, "connection URL");
    check_options(a, &a->service, "service");
    emit_object(a, schema, nothing ? NULL : config, "config", true);
}

int rb_schema_apply(struct rb_doc *doc, const char *schema_json, const struct rb_yaml *config,
                    const struct rb_yaml *section, bool plaintext, struct rb_config *ret)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf json = RB_BUF_INIT(CONFIG_JSON_MAX);
    struct rb_config result = {
        .secrets = rb_arena_alloc(doc->arena, RB_SECRETS_MAX, sizeof(const char *))};
    struct apply a = {.doc = doc,
                      .section = config != NULL ? config : section,
                      .plaintext = plaintext,
                      .config = &result};
    yyjson_doc *schema = yyjson_read(schema_json, strlen(schema_json), YYJSON_READ_NOFLAG);
    if (!yyjson_is_obj(yyjson_doc_get_root(schema))) {
        yyjson_doc_free(schema);
        return RB_ECONNECTOR;
    }
    rb_json_init(&a.json, &json);
    apply_root(&a, yyjson_doc_get_root(schema), config);
    yyjson_doc_free(schema);
    /* After a mistake the JSON may be cut short; nobody will read it. */
    int status = rb_json_finish(&a.json);
    result.json = rb_arena_strdup(doc->arena, rb_buf_str(&json));
    if (json.data != NULL) {
        explicit_bzero(json.data, json.len);
    }
    if (rb_arena_failed(doc->arena) || status == RB_ENOMEM) {
        return RB_ENOMEM;
    }
    if (status == 0) {
        *ret = result;
    }
    return 0;
}

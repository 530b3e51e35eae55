/* YAML text to a tree of our own. The only file that knows libfyaml. */
#include <errno.h>
#include <fcntl.h>
#include <libfyaml.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "host/config/doc.h"
#include "host/config/subst.h"

enum { MASKED_BYTES_MAX = 4 * RB_DOC_BYTES_MAX, SCALAR_BYTES_MAX = RB_DOC_BYTES_MAX };

struct builder {
    struct rb_doc *doc;
    size_t n_nodes;
    size_t depth;
    struct {
        struct rb_yaml *node;
        struct rb_yaml **tail; /* where the next child goes */
        bool has_key;
        const char *key;
        int key_line, key_column;
    } open[RB_DOC_DEPTH_MAX];
    struct rb_yaml *root;
    int documents;
    bool refused; /* the rest is not worth reading */
};

static void close_fd(const int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}

/* 0, RB_ENOMEM, or 1 with a mistake. */
static int read_text(struct rb_doc *doc, struct rb_buf *ret)
{
    struct stat st;
    RB_CLEANUP(close_fd) int fd = open(doc->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        rb_diags_add(doc->diags, doc->path, 0, 0, NULL, "can't be read: %s", strerror(errno));
        return 1;
    }
    for (;;) {
        uint8_t chunk[16384];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n == 0) {
            return 0;
        }
        if (n < 0) {
            rb_diags_add(doc->diags, doc->path, 0, 0, NULL, "can't be read: %s", strerror(errno));
            return 1;
        }
        if (ret->len + (size_t)n > RB_DOC_BYTES_MAX) {
            rb_diags_add(doc->diags, doc->path, 0, 0, NULL, "is larger than %d bytes",
                         (int)RB_DOC_BYTES_MAX);
            return 1;
        }
        int status = rb_buf_append(ret, chunk, (size_t)n);
        if (status != 0) {
            return status;
        }
    }
}

/* YAML 1.2.2, 5.1: printable characters. */
static bool check_characters(struct rb_doc *doc, const struct rb_buf *text)
{
    int line = 1, column = 1;
    for (size_t i = 0; i < text->len;) {
        uint8_t c = text->data[i];
        size_t n = rb_utf8_length(text->data + i, text->len - i);
        if (n == 0 || (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f) {
            rb_diags_add(doc->diags, doc->path, line, column, NULL,
                         n == 0 ? "this is not UTF-8 text (byte 0x%02x)"
                                : "a control character (0x%02x) is not allowed",
                         c);
            return false;
        }
        i += n;
        column = c == '\n' ? 1 : column + 1;
        line += c == '\n';
    }
    return true;
}

static void refuse(struct builder *b, const struct fy_mark *mark, const char *hint,
                   const char *message)
{
    rb_diags_add(b->doc->diags, b->doc->path, mark->line + 1, mark->column + 1, hint, "%s",
                 message);
    b->refused = true;
}

/* Links a node where it belongs; NULL when there is no memory or too much of everything. */
static struct rb_yaml *add_node(struct builder *b, const struct fy_mark *mark,
                                enum rb_yaml_kind kind)
{
    if (++b->n_nodes > RB_DOC_NODES_MAX) {
        refuse(b, mark, NULL, "the document has too many values");
        return NULL;
    }
    struct rb_yaml *node = rb_arena_alloc(b->doc->arena, 1, sizeof *node);
    if (node == NULL) {
        b->refused = true;
        return NULL;
    }
    node->kind = kind;
    node->line = mark->line + 1;
    node->column = mark->column + 1;
    node->text = "";
    if (b->depth == 0) {
        b->root = node;
        return node;
    }
    struct rb_yaml *parent = b->open[b->depth - 1].node;
    if (parent->kind == RB_YAML_MAPPING) {
        node->key = b->open[b->depth - 1].key;
        node->key_line = b->open[b->depth - 1].key_line;
        node->key_column = b->open[b->depth - 1].key_column;
        b->open[b->depth - 1].has_key = false;
    }
    parent->n_children++;
    *b->open[b->depth - 1].tail = node;
    b->open[b->depth - 1].tail = &node->next;
    return node;
}

static bool awaits_key(const struct builder *b)
{
    return b->depth > 0 && b->open[b->depth - 1].node->kind == RB_YAML_MAPPING &&
           !b->open[b->depth - 1].has_key;
}

static void begin_collection(struct builder *b, const struct fy_mark *mark, enum rb_yaml_kind kind)
{
    if (awaits_key(b)) {
        refuse(b, mark, NULL, "a key must be a plain word");
        return;
    }
    if (b->depth == RB_DOC_DEPTH_MAX) {
        refuse(b, mark, NULL, "the document is nested too deeply");
        return;
    }
    struct rb_yaml *node = add_node(b, mark, kind);
    if (node != NULL) {
        b->open[b->depth].node = node;
        b->open[b->depth].tail = &node->child;
        b->open[b->depth].has_key = false;
        b->depth++;
    }
}

static void take_key(struct builder *b, const struct fy_mark *mark, const char *text, size_t len)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf key = RB_BUF_INIT(SCALAR_BYTES_MAX);
    if (rb_subst_unmask(text, len, &key) != 0) {
        b->refused = true;
        return;
    }
    b->open[b->depth - 1].key = rb_arena_strdup(b->doc->arena, rb_buf_str(&key));
    b->open[b->depth - 1].key_line = mark->line + 1;
    b->open[b->depth - 1].key_column = mark->column + 1;
    b->open[b->depth - 1].has_key = true;
}

static void take_scalar(struct builder *b, const struct fy_mark *mark, struct fy_token *token)
{
    size_t len = 0;
    const char *text = fy_token_get_text(token, &len);
    if (text == NULL) {
        text = "";
        len = 0;
    }
    if (memchr(text, '\0', len) != NULL) {
        refuse(b, mark, NULL, "a NUL character is not allowed");
        return;
    }
    if (awaits_key(b)) {
        take_key(b, mark, text, len);
        return;
    }
    struct rb_yaml *node = add_node(b, mark, RB_YAML_SCALAR);
    RB_CLEANUP(rb_buf_release) struct rb_buf value = RB_BUF_INIT(SCALAR_BYTES_MAX);
    if (node == NULL || rb_subst_expand(b->doc, node, text, len, &value) != 0) {
        b->refused = true;
        return;
    }
    node->plain = fy_token_scalar_style(token) == FYSS_PLAIN;
    node->text = rb_arena_strndup(b->doc->arena, rb_buf_str(&value), value.len);
    if (value.data != NULL) {
        explicit_bzero(value.data, value.len);
    }
}

/* libfyaml's mark stands behind the quote of a scalar and the star of an alias. */
static struct fy_mark position(struct fy_event *event)
{
    const struct fy_mark *mark = fy_event_start_mark(event);
    struct fy_mark at = mark == NULL ? (struct fy_mark){.line = 0} : *mark;
    enum fy_scalar_style style =
        event->type == FYET_SCALAR ? fy_token_scalar_style(event->scalar.value) : FYSS_ANY;
    if (at.column > 0 &&
        (event->type == FYET_ALIAS || style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED)) {
        at.column--;
    }
    return at;
}

static void take_event(struct builder *b, struct fy_event *event)
{
    const struct fy_mark at = position(event), *mark = &at;
    if (fy_event_get_tag_token(event) != NULL) {
        refuse(b, mark, "leave it away; quotes make a text", "YAML tags are not supported");
        return;
    }
    if (fy_event_get_anchor_token(event) != NULL || event->type == FYET_ALIAS) {
        refuse(b, mark, "write the value out; a text that begins with & or * needs quotes",
               "YAML anchors and aliases are not supported");
        return;
    }
    switch (event->type) {
    case FYET_DOCUMENT_START:
        if (++b->documents > 1) {
            refuse(b, mark, NULL, "a file holds one pipeline: a second document begins here");
        }
        break;
    case FYET_MAPPING_START:
        begin_collection(b, mark, RB_YAML_MAPPING);
        break;
    case FYET_SEQUENCE_START:
        begin_collection(b, mark, RB_YAML_SEQUENCE);
        break;
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        b->depth--;
        break;
    case FYET_SCALAR:
        take_scalar(b, mark, event->scalar.value);
        break;
    case FYET_NONE:
    case FYET_STREAM_START:
    case FYET_STREAM_END:
    case FYET_DOCUMENT_END:
    case FYET_ALIAS:
    default:
        break;
    }
}

/* true: the document was well-formed to its end. */
static bool parse_events(struct builder *b, struct fy_parser *parser)
{
    struct fy_event *event = NULL;
    bool ended = false;
    while (!b->refused && !ended && (event = fy_parser_parse(parser)) != NULL) {
        ended = event->type == FYET_STREAM_END;
        take_event(b, event);
        fy_parser_event_free(parser, event);
    }
    return ended && !b->refused && !fy_parser_get_stream_error(parser);
}

/* The parser's first error is the cause; what follows it are consequences. */
static void report_syntax(struct rb_doc *doc, struct fy_diag *diag)
{
    void *iterator = NULL;
    const struct fy_diag_error *e = NULL;
    while ((e = fy_diag_errors_iterate(diag, &iterator)) != NULL) {
        if (e->type == FYET_ERROR) {
            rb_diags_add(doc->diags, doc->path, e->line, e->column, NULL, "not YAML: %s", e->msg);
            return;
        }
    }
    rb_diags_add(doc->diags, doc->path, 0, 0, NULL, "not YAML");
}

static void parse_text(struct builder *b, const struct rb_buf *masked)
{
    struct fy_diag_cfg diag_cfg;
    fy_diag_cfg_default(&diag_cfg);
    diag_cfg.fp = NULL;
    struct fy_diag *diag = fy_diag_create(&diag_cfg);
    if (diag == NULL) {
        b->refused = true;
        return;
    }
    fy_diag_set_collect_errors(diag, true);
    /* A set of flags is not one of them:
     * NOLINTNEXTLINE(clang-analyzer-optin.core.EnumCastOutOfRange) */
    struct fy_parse_cfg cfg = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG |
                                        FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE,
                               .diag = diag};
    struct fy_parser *parser = fy_parser_create(&cfg);
    if (parser != NULL && fy_parser_set_string(parser, rb_buf_str(masked), masked->len) == 0) {
        bool good = parse_events(b, parser);
        if (!good && !b->refused) {
            report_syntax(b->doc, diag);
            b->refused = true;
        }
    } else {
        b->refused = true;
    }
    fy_parser_destroy(parser);
    fy_diag_destroy(diag);
}

int rb_yaml_read(struct rb_doc *doc, const struct rb_yaml **ret_root)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(RB_DOC_BYTES_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf masked = RB_BUF_INIT(MASKED_BYTES_MAX);
    *ret_root = NULL;
    int status = read_text(doc, &text);
    if (status != 0) {
        return status == 1 ? 0 : status;
    }
    if (!check_characters(doc, &text)) {
        return 0;
    }
    status = rb_subst_mask(rb_buf_str(&text), text.len, &masked);
    if (status == RB_EDATA) {
        rb_diags_add(doc->diags, doc->path, 0, 0, NULL,
                     "characters from U+10FF00 to U+10FF7F are not allowed");
        return 0;
    }
    if (status != 0) {
        return status;
    }
    struct builder b = {.doc = doc};
    parse_text(&b, &masked);
    if (b.refused) {
        return doc->diags->count + doc->diags->dropped > 0 ? 0 : RB_ENOMEM;
    }
    if (b.root == NULL) {
        rb_diags_add(doc->diags, doc->path, 0, 0, NULL, "is empty");
        return 0;
    }
    *ret_root = b.root;
    return rb_arena_failed(doc->arena) ? RB_ENOMEM : 0;
}

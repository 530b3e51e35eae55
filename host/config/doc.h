/*
 * A document being read: its YAML as a tree with positions, and the mistakes found in it. Internal
 * to host/config; yaml.c alone knows libfyaml.
 */
#ifndef RB_HOST_CONFIG_DOC_H
#define RB_HOST_CONFIG_DOC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "host/config/arena.h"
#include "host/config/diag.h"

enum {
    RB_DOC_BYTES_MAX = 4 * 1024 * 1024,
    RB_DOC_NODES_MAX = 200000,
    RB_DOC_DEPTH_MAX = 32,
};

enum rb_yaml_kind { RB_YAML_SCALAR, RB_YAML_SEQUENCE, RB_YAML_MAPPING };

struct rb_yaml {
    enum rb_yaml_kind kind;
    int line, column; /* 1-based */
    /* Scalar: the text after substitution, without a NUL in it. */
    const char *text;
    bool plain;       /* not in quotes, no block */
    bool substituted; /* some of it came from the environment: never shown */
    bool broken;      /* a variable was missing: what is wrong with the rest is a consequence */
    /* Sequence and mapping: the first of the children, linked by `next`. */
    struct rb_yaml *child;
    size_t n_children;
    struct rb_yaml *next;
    /* As a mapping's child. */
    const char *key;
    int key_line, key_column;
};

struct rb_doc {
    struct rb_arena *arena;
    struct rb_diags *diags;
    const char *path;
    const char *folder;            /* absolute; relative paths start here */
    bool no_commands;              /* a secret's command is refused */
    bool cancelled;                /* a signal came while a command was waited for */
    size_t n_connector_mistakes;   /* of the mistakes: a connector is missing or refused */
    struct rb_error first_refusal; /* the first of these */
};

/* Reads doc->path. *ret_root is NULL when it can't be read as YAML; mistakes are in doc->diags.
 * RB_ENOMEM only. */
int rb_yaml_read(struct rb_doc *doc, const struct rb_yaml **ret_root);

/* The child of a mapping with that key; NULL: none, or not a mapping. */
const struct rb_yaml *rb_yaml_get(const struct rb_yaml *mapping, const char *key);
/* Plain and empty, `~` or `null`. */
bool rb_yaml_is_null(const struct rb_yaml *node);

/* Nothing at a broken node: its cause has been told. */
void rb_doc_mistake(struct rb_doc *doc, const struct rb_yaml *node, const char *hint,
                    const char *fmt, ...) RB_PRINTF(4, 5);
/* At a mapping's key instead of its value. */
void rb_doc_mistake_key(struct rb_doc *doc, const struct rb_yaml *child, const char *hint,
                        const char *fmt, ...) RB_PRINTF(4, 5);
/* "'text'" of a scalar, "the given value" when it was substituted, "a list" or "a
 * mapping" of others. */
const char *rb_doc_show(struct rb_doc *doc, const struct rb_yaml *node);
/* "did you mean 'x'?", or NULL. */
struct rb_suggest;
const char *rb_doc_did_you_mean(struct rb_doc *doc, const struct rb_suggest *suggest);
/* Reports keys that stand twice. */
void rb_doc_check_duplicates(struct rb_doc *doc, const struct rb_yaml *mapping);
/* An absolute path as it is, another below the document's folder. */
const char *rb_doc_path(struct rb_doc *doc, const char *path);

#endif

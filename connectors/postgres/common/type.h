/*
 * How a PostgreSQL column travels: its type, the Arrow type that carries it, and back. Arrow holds
 * a value natively where it holds every value of the type; otherwise the value travels unchanged,
 * in PostgreSQL's own binary form, to a peer that announces pg_binary, and as text else
 * (docs/protocol.md, "Arrow fields").
 */
#ifndef RB_CONNECTORS_POSTGRES_COMMON_TYPE_H
#define RB_CONNECTORS_POSTGRES_COMMON_TYPE_H

#include <nanoarrow/nanoarrow.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum {
    RB_TYPE_COLUMNS_MAX = 1664, /* PostgreSQL's limit of a target list */
    RB_TYPE_BOOL_OID = 16,
    RB_TYPE_BYTEA_OID = 17,
    RB_TYPE_INT8_OID = 20,
    RB_TYPE_INT2_OID = 21,
    RB_TYPE_INT4_OID = 23,
    RB_TYPE_TEXT_OID = 25,
    RB_TYPE_MONEY_OID = 790,
    RB_TYPE_MONEYS_OID = 791,        /* money[] */
    RB_TYPE_MONEY_DIGITS_MAX = 10,   /* PostgreSQL takes more of a locale for 2 */
    RB_TYPE_BUILTIN_OID_END = 10000, /* types of pg_catalog that every server of a version has under
                                        the same OID are below this (FirstGenbkiObjectId) */
};

/* What is done to a field's bytes, in either direction. */
enum rb_type_codec {
    RB_CODEC_BOOL,      /* 1 byte <-> bool */
    RB_CODEC_INT16,     /* 2 bytes, big-endian <-> int16 */
    RB_CODEC_INT32,     /* 4 bytes <-> int32; float4 <-> float; oid <-> uint32 */
    RB_CODEC_INT64,     /* 8 bytes <-> int64; float8 <-> double */
    RB_CODEC_TIME,      /* microseconds of the day <-> time64 */
    RB_CODEC_DATE,      /* days since 2000-01-01 <-> date32 */
    RB_CODEC_TIMESTAMP, /* microseconds since 2000-01-01 <-> timestamp */
    RB_CODEC_UUID,      /* 16 bytes <-> fixed_size_binary(16) */
    RB_CODEC_BYTES,     /* any bytes <-> utf8 or binary */
    RB_CODEC_JSONB,     /* version byte 1, then text <-> utf8 */
};

enum rb_type_form {
    RB_FORM_NATIVE, /* Arrow's type holds every value */
    RB_FORM_BINARY, /* PostgreSQL's binary form, on Arrow binary, as arrow.opaque */
    RB_FORM_TEXT,   /* PostgreSQL's text form, on Arrow utf8; the query casts */
    RB_FORM_LABEL,  /* an enum's label, on Arrow utf8: its text and binary form at once */
};

/* One row of the table of built-in types. */
struct rb_type {
    uint32_t oid;
    const char *name; /* pg_type.typname, in pg_catalog */
    enum rb_type_form form;
    enum rb_type_codec codec;
    enum ArrowType arrow;  /* storage type */
    const char *extension; /* canonical Arrow extension, or NULL */
};

/* NULL: not one that has a row of its own. */
const struct rb_type *rb_type_find(uint32_t oid);
/* By the pg_catalog name. */
const struct rb_type *rb_type_find_name(const char *name);

/* What the catalogue says of a column's type. For a domain these are facts of its base type, at the
 * bottom. */
struct rb_type_facts {
    uint32_t oid;      /* pg_type.oid */
    uint32_t elem_oid; /* of an array (typcategory A): the element's, domains resolved; else 0 */
    bool is_enum;
};

/* How a value of the type travels to a peer with or without pg_binary: the form, and the row of the
 * table where it is native (else NULL). Never fails: what is not known travels as text. */
enum rb_type_form rb_type_choose(struct rb_type_facts facts, bool peer_pg_binary,
                                 const struct rb_type **ret_type);

/* One column, as a field of Arrow and as a field of COPY. Strings are owned. */
struct rb_column {
    char *name;
    char *declared;   /* format_type(atttypid, atttypmod): what CREATE TABLE takes */
    char *type_name;  /* base type, schema-qualified and quoted where needed: pg_catalog.int4 */
    char *collation;  /* quoted, qualified; NULL: the type's default */
    char *definition; /* JSON of docs/protocol.md, "Types that users made"; NULL: every server has
                         it */
    char *origin;     /* the source's number of the column, which a new name leaves as it is:
                         "database.relation.column"; NULL: not known */
    uint32_t oid;     /* of the base type, at the source; 0: not from PostgreSQL */
    int32_t typmod;   /* -1: none */
    bool has_money;   /* of money, or with money in it; of which the source has… */
    int money_digits; /* …as many digits after the point, by its lc_monetary */
    bool not_null;
    bool generated;     /* the source computes it from other columns */
    bool as_text;       /* the destination takes it for text: `declared` is not the source's */
    bool from_postgres; /* the field says which PostgreSQL type it was */
    enum rb_type_form form;
    enum rb_type_codec codec;
    enum ArrowType arrow;  /* storage type */
    bool utc;              /* timestamp with time zone */
    const char *extension; /* canonical extension, static; NULL: none (arrow.opaque is by form) */
};

struct rb_columns {
    struct rb_column *items; /* owned */
    size_t n;
};

void rb_columns_init(struct rb_columns *columns);
void rb_columns_release(struct rb_columns *columns);
/* Appends a copy of `column`, its strings too. RB_ENOMEM, RB_ESCHEMA over RB_TYPE_COLUMNS_MAX. */
int rb_columns_add(struct rb_columns *columns, const struct rb_column *column,
                   struct rb_error *err);
/* NULL: there is no such column. */
const struct rb_column *rb_columns_find(const struct rb_columns *columns, const char *name);
/* Their names, as a JSON array. */
int rb_columns_put_names(const struct rb_columns *columns, struct rb_buf *ret);
/* The hint of `err` (NULL: nobody wants it) proposes the column whose name is nearest. */
void rb_columns_suggest(const struct rb_columns *columns, const char *name, struct rb_error *err);
/* Fills form, codec, arrow, utc and extension of `column` for a type: what a source calls. */
void rb_column_set_type(struct rb_column *column, struct rb_type_facts facts, bool peer_pg_binary);

/* A struct schema of the columns, with all of the metadata of docs/protocol.md. primary_key_json:
 * a JSON array of names, or NULL. The caller releases *ret. */
int rb_columns_to_schema(const struct rb_columns *columns, const char *primary_key_json,
                         struct ArrowSchema *ret, struct rb_error *err);
/* The reverse, which checks that metadata and Arrow type go together; fields without metadata get
 * the PostgreSQL type that holds every value of their Arrow type. RB_ESCHEMA by column and type for
 * what cannot be held. `ret` (initialised) is replaced. */
int rb_columns_from_schema(const struct ArrowSchema *schema, struct rb_columns *ret,
                           struct rb_error *err);

#endif

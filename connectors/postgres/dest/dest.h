/* The destination: its state and its parts. */
#ifndef RB_CONNECTORS_POSTGRES_DEST_DEST_H
#define RB_CONNECTORS_POSTGRES_DEST_DEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "connectors/postgres/common/codec.h"
#include "connectors/postgres/common/conn.h"
#include "connectors/postgres/common/content_hash.h"
#include "connectors/postgres/common/query.h"
#include "connectors/postgres/common/quote.h"
#include "connectors/postgres/common/type.h"
#include "rapidbyte/rapidbyte.h"

#define RB_DEST_LEDGER_SCHEMA "_rapidbyte"
/* Before a lock that keeps readers away. */
#define RB_DEST_PHASE_LOCK "waiting for a lock"

enum {
    RB_DEST_TARGET_MAX = 2 * RB_CONN_TEXT_MAX, /* "schema.table" as the ledger has it */
    RB_DEST_STAGING_NAME = 19,                 /* "s_", 16 hexadecimal digits, the final 0 */
    RB_TARGET_GENERATED = 3,
    RB_TARGET_HAS_DEFAULT = 4,
    RB_TARGET_BARE_TYPE = 5, /* rb_target's column with the type's name alone */
    RB_TARGET_KEEPS_NOT_NULL = 6,
    RB_TARGET_COLLATION = 7,   /* quoted, qualified; NULL: the type has none */
    RB_TARGET_INEXACT = 8,     /* values that are equal may differ */
    RB_TARGET_NOT_UPDATED = 9, /* GENERATED ALWAYS AS IDENTITY */
    RB_TARGET_CAST_MADE = 10,  /* somebody made a cast from text to the type */
    RB_TARGET_MONEY = 11,      /* money, an array or a domain of it */
    RB_TARGET_COLUMNS = 12,
    /* Columns of target_table.sql. */
    RB_TABLE_N_COLUMNS = 8, /* of the table, dropped ones too */
    RB_TABLE_COLUMNS = 9,
    RB_DEST_WHOLE_STREAM = -1, /* the ledger's unit of a published stream */
    RB_DEST_TYPES_KEPT = 32,
    RB_DEST_TYPE_KEPT_MAX = 64, /* bytes, with the final 0, of a type's name that is remembered */
    RB_DEST_BATCH_SLACK = 1024 * 1024, /* a batch may exceed max_batch_bytes by its framing */
};

struct rb_dest {
    struct rb_conn_config config;
    struct rb_conn *conn; /* NULL: none; reused from unit to unit */
    bool insert;          /* load_method: insert */
    bool has_lock;        /* the connection's session took the pipeline's lock */
    struct rb_conn
        *holder; /* where sessions are pooled: whose transaction has that lock; or NULL */
    bool ledger_ready;
    bool dry;                   /* what happens is in one transaction, which is rolled back */
    struct rb_buf changes;      /* of the last dry run: what a run would alter, a JSON array */
    bool wants_temporary;       /* a temporary table was asked for */
    bool schema_ready;          /* it was there; forgotten after a failure */
    bool ledger_asked;          /* of dry runs: whether it is there, in this session */
    bool has_made;              /* of dry runs: a new table, in this session */
    bool has_staged;            /* of dry runs: a table like one to be replaced, in this session */
    bool usual_asked, is_usual; /* dry_usual.sql */
    bool money_asked;           /* of money_digits, in this session */
    int money_digits;
    bool names_asked; /* dry_names.sql, in this session */
    struct rb_query_result names;
    char types[RB_DEST_TYPES_KEPT][RB_DEST_TYPE_KEPT_MAX]; /* names that the server knew as types */
    size_t n_types;                                        /* that were put there, ever */
    double connect_secs;                                   /* of the last rb_dest_connect */
    struct rb_content content;                             /* of rb_dest_hash */
};

/* Connects unless the connection still serves; leaves it outside of a transaction. */
int rb_dest_connect(struct rb_dest *dest, struct rb_error *err);
/* Ends whatever is open, by ROLLBACK or by closing the connection. Nothing of it is kept. */
void rb_dest_abort(struct rb_dest *dest);
/* Makes the schema unless it is there, in a transaction of its own. */
int rb_dest_ensure_schema(struct rb_dest *dest, struct rb_error *err);
/* Makes a schema unless it is there, within the open transaction, which then has the lock of those
 * who make schemas. Needs no right where it is there. */
int rb_dest_make_schema(struct rb_dest *dest, const char *schema, struct rb_error *err);
/* Runs each value of a one-column result as a statement. */
int rb_dest_run_each(struct rb_dest *dest, const struct rb_query_result *statements,
                     struct rb_error *err);
/* Runs `sql`, a text that lives as long as the program, with text parameters ($1…); a connection
 * prepares it once. `result` may be NULL. */
int rb_dest_query(struct rb_dest *dest, const char *sql, const char *const *params, size_t n_params,
                  struct rb_query_result *result, struct rb_error *err);
/* As rb_dest_query, of a text that was put together. */
int rb_dest_query_once(struct rb_dest *dest, const char *sql, const char *const *params,
                       size_t n_params, struct rb_query_result *result, struct rb_error *err);

/* ---- ledger.c */

struct rb_receipt {
    const struct rb_stream_context *context;
    int64_t unit; /* rb_ledger_unit, plus the parts that were committed since; or
                     RB_DEST_WHOLE_STREAM */
    bool visible;
    bool is_part;        /* of a stream whose rest is to come */
    int64_t rows, bytes; /* rows: that are in the table; bytes: that were delivered */
    int64_t rejected;    /* rows that were left out (on_data_error) */
    bool has_checksum;
    uint64_t checksum;
    struct rb_json_value checkpoint; /* the source's last, or absent */
    const char *shape;               /* rb_shape_write's; NULL: nothing new is known */
};

/* Whether the ledger is there. RB_EPERM: it is, and belongs to somebody who could misuse this role
 * by it; or nothing can be written. */
int rb_ledger_check(struct rb_dest *dest, bool *ret_exists, struct rb_error *err);
/* Within a transaction to be rolled back: what rb_ledger_ensure would do. */
int rb_ledger_prove(struct rb_dest *dest, struct rb_error *err);
/* Makes the ledger unless it is there. As rb_ledger_check. */
int rb_ledger_ensure(struct rb_dest *dest, struct rb_error *err);
/* What the ledger calls the stream's table. */
void rb_ledger_target(const struct rb_dest *dest, const struct rb_stream_context *context,
                      char ret[RB_DEST_TARGET_MAX]);
/* The streams, their tables and how they are loaded, as the ledger's statements take them: a JSON
 * array, into an empty buffer. */
int rb_ledger_write_keys(const struct rb_stream_context *streams, size_t n_streams,
                         struct rb_buf *ret, struct rb_error *err);
/* The unit's number in the ledger. Whatever is committed behind the same parts has the same one, so
 * that of two sessions only one can. */
int64_t rb_ledger_unit(const struct rb_stream_context *context);
/* 0: the receipt of the stream's unit in its table stands, its rows, bytes, rejected, checksum and
 * is_part are filled in; 1: it does not, or is of another attempt at a stream of several units. */
int rb_ledger_find(struct rb_dest *dest, const struct rb_stream_context *context, int64_t unit,
                   struct rb_receipt *ret, struct rb_error *err);
/* Tells the host that the part `unit` of the stream stands, with the checkpoint that the ledger has
 * of it. RB_EINTERNAL when it has none. */
int rb_ledger_tell_part(struct rb_dest *dest, const struct rb_stream_context *context, int64_t unit,
                        struct rb_error *err);
/* Within the transaction of the data. 1: the receipt is there already: roll back. RB_ELOCKED: the
 * load is another run's now. */
int rb_ledger_record(struct rb_dest *dest, const struct rb_receipt *receipt, struct rb_error *err);
/* COMMIT. When its answer is lost, asks the ledger over a new connection whether the receipt
 * stands: 0 when it does; else the error says which way it went. */
int rb_ledger_commit(struct rb_dest *dest, const struct rb_receipt *receipt, struct rb_error *err);
/* Drops staging tables whose owner is gone. Within a transaction. *ret_dropped counts them. */
int rb_ledger_drop_leftovers(struct rb_dest *dest, const char *pipeline, size_t *ret_dropped,
                             struct rb_error *err);
/* Likewise those of the load's stream but `staging`, and what their units left out. */
int rb_ledger_drop_earlier(struct rb_dest *dest, const struct rb_stream_context *context,
                           const char *staging, struct rb_error *err);
/* "s_" and 16 digits that depend on load, stream, snapshot and attempt: what another attempt left,
 * or still writes, is never taken for this one's. */
void rb_ledger_staging_name(const struct rb_stream_context *context,
                            char ret[RB_DEST_STAGING_NAME]);

/* ---- target.c */

/* Where rows go. */
struct rb_target {
    bool exists;
    char oid[16];
    char name[RB_QUOTE_NAME_MAX + 1];    /* as it is */
    char relation[2 * RB_CONN_TEXT_MAX]; /* quoted, qualified */
    bool runs_sql;                       /* a row that comes runs SQL of the user's: a trigger, a
                                            check, a default, … (settings.h) */
    bool is_ours;                        /* the role may alter it */
    bool may_truncate;
    char owner[RB_QUOTE_NAME_MAX + 1];
    char referenced[RB_CONN_TEXT_MAX]; /* by a foreign key of another table: which; "": none */
    bool refers;                       /* of one that is referenced: it refers to others, too */
    struct rb_query_result columns;    /* name, type, not null, generated, has default, bare type,
                                          keeps NOT NULL, collation, inexact, not updated, cast made,
                                          money */
};

void rb_target_init(struct rb_target *target);
void rb_target_release(struct rb_target *target);
/* Looks up schema.table, all but its columns. RB_ESCHEMA when it is something that can't be
 * written. */
int rb_target_look(struct rb_dest *dest, const char *schema, const char *table,
                   struct rb_target *target, struct rb_error *err);
/* The same with its columns. */
int rb_target_find(struct rb_dest *dest, const char *schema, const char *table,
                   struct rb_target *target, struct rb_error *err);
/* The same of a table that rb_dry_look_ahead has found. RB_EDATA for what it has not written. */
int rb_target_take(struct rb_dest *dest, const char *schema, const char *table,
                   struct rb_json_value known, struct rb_target *target, struct rb_error *err);
/* CREATE TABLE from the stream's columns, with this primary key (an array of names, or absent). */
int rb_target_create(struct rb_dest *dest, const char *schema, const char *table,
                     const struct rb_columns *columns, struct rb_json_value primary_key,
                     struct rb_error *err);
/* A unique index on these columns (an array of names), for rows to be upserted by. RB_ESCHEMA by an
 * example where the rows that are there do not permit it. */
int rb_target_make_unique(struct rb_dest *dest, const struct rb_target *target,
                          struct rb_json_value key, struct rb_error *err);
/* The row of target->columns, or SIZE_MAX. */
size_t rb_target_column(const struct rb_target *target, const char *name);
/* Refuses columns whose declared type is not the name of a type here. */
int rb_target_check_types(struct rb_dest *dest, const struct rb_columns *columns,
                          struct rb_error *err);

/* ---- shape.c: what the source's table was like when it was last loaded, kept in the ledger. */

/* Read when it is first needed. Zero bytes are one that was not read. */
struct rb_shape {
    bool is_read;
    bool is_made;            /* rapidbyte made the table */
    bool is_of_source;       /* it is of the server that is read now */
    struct rb_json_doc *doc; /* NULL: nothing is known */
};

struct rb_shape_column {
    const char *type;   /* as it was declared */
    const char *origin; /* rb_column's; NULL: not known, or of another server */
};

void rb_shape_release(struct rb_shape *shape);
/* What the ledger has of the stream's table with that OID ("": there is none). */
int rb_shape_read(struct rb_dest *dest, const struct rb_stream_context *context, const char *oid,
                  struct rb_shape *shape, struct rb_error *err);
/* Whether the source had a column of that name then; its strings are the shape's. */
bool rb_shape_find(const struct rb_shape *shape, const char *name, struct rb_shape_column *ret);
/* What is to be made of the source's keys: JSON as rb_indexes_make takes it, or NULL. */
struct rb_keys {
    const char *primary_key, *indexes;
};

/* What a receipt says of the table: JSON. `was`: the OID that it had before, "": it was made.
 * `keys` (NULL: none) for the one who publishes. */
int rb_shape_write(const struct rb_stream_context *context, const struct rb_columns *columns,
                   const char *was, const struct rb_keys *keys, struct rb_buf *ret,
                   struct rb_error *err);

/* ---- alter.c */

struct rb_alteration {
    const char *drops;        /* actions of ALTER TABLE, "": none */
    const char *const *names; /* of each of the target's columns, when all is done; NULL: dropped */
    const char *others;       /* actions that name columns by their new names */
};

/* Alters the target. What belongs to a table by its columns' names goes on to `carried`. */
int rb_alter(struct rb_dest *dest, const struct rb_target *target,
             const struct rb_alteration *alteration, struct rb_buf *carried, struct rb_error *err);
/* The same columns dropped and renamed in another table. */
int rb_alter_carried(struct rb_dest *dest, const char *relation, const struct rb_buf *carried,
                     struct rb_error *err);

/* ---- evolve.c */

/* How a stream's table follows the source. */
struct rb_evolution {
    struct rb_dest *dest;
    const struct rb_stream_context *context;
    char original[16]; /* OID of the table that has the stream's name; "": there is none yet */
    struct rb_shape shape;
    struct rb_buf carried; /* of a swap: what the old table gets before it is exchanged */
};

void rb_evolution_init(struct rb_evolution *evolution, struct rb_dest *dest,
                       const struct rb_stream_context *context);
void rb_evolution_release(struct rb_evolution *evolution);

/* How a value gets the target's type. */
enum rb_cast {
    RB_CAST_NONE,  /* it has it */
    RB_CAST_TEXT,  /* it travels as text */
    RB_CAST_WIDER, /* its type holds every value of the stream's */
    RB_CAST_EXACT, /* by cast; a value that loses something by it is refused */
    RB_CAST_NULL,  /* by cast; such a value becomes NULL */
    RB_CAST_MONEY, /* its fractions are others; one that has more of them is refused */
};

/* Which of the stream's columns are loaded, and how. */
struct rb_mapping {
    size_t n;
    size_t from[RB_TYPE_COLUMNS_MAX]; /* index in the stream's columns */
    enum rb_cast cast[RB_TYPE_COLUMNS_MAX];
    bool changes[RB_TYPE_COLUMNS_MAX]; /* the cast is what the type is for: not compared with what
                                          was cast (json to jsonb) */
    bool any_cast;
};

/* Compares the stream's columns with the target's under the policies, alters the target where they
 * say so (the target is looked up again), and fills the mapping. With `changes`, an open array,
 * what would be altered is written there instead, a text each. */
int rb_evolve(struct rb_evolution *evolution, const char *schema, const char *table,
              const struct rb_columns *columns, struct rb_target *target, struct rb_json *changes,
              struct rb_mapping *ret, struct rb_error *err);
/* Of columns of types that users made, where the target (as it is) has text and the policy casts:
 * their values come as text, and the types are nothing to the destination. RB_ENOMEM. */
int rb_evolve_as_text(const struct rb_evolution *evolution, const struct rb_target *target,
                      struct rb_columns *columns, struct rb_error *err);
/* 1: a type may be made to hold more; 0: the policy is against it. */
int rb_evolve_may_widen(struct rb_evolution *evolution, struct rb_error *err);

/* ---- money.c */

/* Money is a number of fractions, and how many make a whole each database's lc_monetary says. Of a
 * column with money in it, or for money (`to_money`): *cast is what it gets otherwise, and becomes
 * RB_CAST_MONEY where values have to be converted. `same`: the target's type is the column's.
 * RB_ESCHEMA by column where that can't be done. */
int rb_money_settle(struct rb_dest *dest, const struct rb_column *column, bool same, bool to_money,
                    enum rb_cast *cast, struct rb_error *err);

/* ---- types.c */

/* Types that users made, of these columns: made in the target schema unless they are there, in a
 * transaction of their own, and `declared` set to what they are called here. An enum gets the
 * labels that the source's has and it lacks, where the policy permits. RB_ESCHEMA by column for one
 * that differs from the source's, can't be made, or is of an extension that isn't here. */
int rb_dest_settle_types(struct rb_dest *dest, struct rb_evolution *evolution,
                         struct rb_columns *columns, struct rb_error *err);

/* ---- past.c */

/* Of a stream (first %s) and its table (second): nothing that is wrong, but seldom meant. */
#define RB_DEST_FOREIGN_ROWS                                                                       \
    "stream '%s': %s has rows that no load of this pipeline put there; rows are added to them"

/* Of a stream that adds rows to a table that is there: RB_ESCHEMA when it would add rows again that
 * an earlier load put there, with the ways on. has_cursor: it goes on after a cursor.
 * *ret_foreign_rows: the table has rows, and the ledger knows no load of the stream into it. Needs
 * the ledger. */
int rb_dest_check_past(struct rb_dest *dest, const struct rb_stream_context *context,
                       const struct rb_target *target, bool has_cursor, bool *ret_foreign_rows,
                       struct rb_error *err);

/* ---- reference.c */

/* Of a stream (first %s) and what rb_references_check notes (second): it may fail. */
#define RB_DEST_CIRCLE                                                                             \
    "stream '%s': foreign keys form a circle, in which the document's order decides: this run "    \
    "has "                                                                                         \
    "to %s"
enum { RB_DEST_NOTE_MAX = 1024 };

/* Of a table and the stream's columns: RB_ESCHEMA when foreign keys form a circle in which no row
 * can be the first. note: gets what a run would do where that depends on the rows, "load …". */
int rb_references_check(struct rb_dest *dest, const struct rb_target *target,
                        const struct rb_columns *columns, struct rb_buf *note,
                        struct rb_error *err);
/* Of the server's error of a foreign key: the ways on. */
void rb_references_hint(const struct rb_dest *dest, struct rb_error *err);

/* ---- load.c */

struct rb_load {
    struct rb_dest *dest;
    const struct rb_stream_context *context;
    const struct rb_columns *columns; /* of the stream */
    const struct rb_target *target;
    const struct rb_mapping *mapping;
    struct rb_json_value primary_key; /* of upsert; absent: plain rows */
    bool key_comes_once; /* of upsert: no two rows should have the same; they may (a transform) */
    struct rb_json_value row_key;   /* names by whose values an error tells a row, or absent */
    struct rb_batch_reader *reader; /* holds the first batch already */
    /* results */
    int64_t rows, bytes; /* that were delivered, those left out included */
    int64_t affected;    /* rows that the server counted in the table */
    int64_t present;     /* rows that are in the table: of those with the same key one */
    int64_t rejected;    /* rows that were left out */
    bool has_checksum;   /* of all that was delivered */
    uint64_t checksum;
    double decode_secs, flush_secs;
};

/* All of the stream's batches into the target, within the open transaction; returns only after the
 * stream's end. Nothing is verified but the server's counts. */
int rb_load_run(struct rb_load *load, struct rb_error *err);

/* ---- swap.c */

/* What a swap could not keep, by name, is an error, before anything is loaded. */
int rb_swap_check(struct rb_dest *dest, const struct rb_target *old, const char *table,
                  struct rb_error *err);
/* CREATE TABLE _rapidbyte.<staging> like the old one, or from the columns when there is none.
 * `ret`: what the old one is like, to be compared with when the two are exchanged; empty: there is
 * none. */
int rb_swap_stage(struct rb_dest *dest, const struct rb_target *old,
                  const struct rb_columns *columns, struct rb_json_value primary_key,
                  const char *staging, struct rb_buf *ret, struct rb_error *err);

struct rb_swap {
    const char *staging;
    const struct rb_buf *before;  /* rb_swap_stage's */
    const struct rb_buf *carried; /* rb_evolution's */
};

/* Puts the staging table in the old one's place, within the open transaction. Where others keep the
 * old one from being locked, it is tried again, as often as limits.max_retries says. */
int rb_swap_publish(struct rb_dest *dest, const struct rb_stream_context *context,
                    const struct rb_swap *swap, struct rb_error *err);

/* ---- truncate.c */

/* Empties the table, within the open transaction; of a dry run only says whether it could.
 * `schema`: the stream's, whose metadata may say that the source's own reader has locked it.
 * RB_ESCHEMA (TRUNCATE_REFUSED), RB_EPERM. */
int rb_truncate(struct rb_dest *dest, const struct rb_target *target,
                const struct ArrowSchema *schema, struct rb_error *err);
/* Where `err` (NULL: nothing is done) says that a lock was waited for in vain: a hint that names
 * who has one on the stream's table. No transaction may be open. */
void rb_locks_hint(struct rb_dest *dest, const struct rb_stream_context *context,
                   struct rb_error *err);

/* ---- dry.c */

/* Of a dry run, outside of a transaction: whether the stream's table is not there, and the
 * catalogue says that it could be made, and filled, as a table was that this session has made
 * before. False says nothing. */
int rb_dry_proves_table(struct rb_dest *dest, const struct rb_stream_context *context,
                        const struct rb_columns *columns, bool *ret, struct rb_error *err);

/* Of a dry run, as a member of BeginInfo: of the streams' tables that a swap would replace, those
 * that nothing keeps from it, as they are now. An error is forgotten: less is known. */
void rb_dry_look_ahead(struct rb_dest *dest, const struct rb_stream_context *streams,
                       size_t n_streams, struct rb_json *ret);
/* Of a dry run, outside of a transaction: whether rb_dry_look_ahead has found the stream's table,
 * and rb_dry_proves_staging would say so of it. `target` is it then. */
int rb_dry_take(struct rb_dest *dest, const struct rb_stream_context *context,
                const struct rb_columns *columns, struct rb_target *target, bool *ret,
                struct rb_error *err);
/* Of a dry run, in a transaction: whether a staging table like `old` could be made, and filled with
 * these columns, as one was that this session has made before. False says nothing. */
int rb_dry_proves_staging(struct rb_dest *dest, const struct rb_stream_context *context,
                          const struct rb_columns *columns, const struct rb_target *old, bool *ret,
                          struct rb_error *err);

/* ---- index.c */

/* What the target lacks of the source's primary key (a JSON array of names; NULL: none is wanted)
 * and other indexes (likewise; as docs/protocol.md has them). */
int rb_indexes_make(struct rb_dest *dest, const struct rb_stream_context *context,
                    const struct rb_target *target, const struct rb_keys *keys,
                    struct rb_error *err);

/* ---- lock.c */

/* Takes the pipeline's lock for this session, or, where sessions are pooled, for a transaction on a
 * connection of its own, to rb_dest_release_pipeline. RB_ELOCKED names who has it. *ret_any_writer
 * (NULL: not wanted): whether rb_dest_end_writers has something to do. */
int rb_dest_lock_pipeline(struct rb_dest *dest, const char *pipeline, bool *ret_any_writer,
                          struct rb_error *err);
void rb_dest_release_pipeline(struct rb_dest *dest);
/* As rb_dest_lock_pipeline, without taking it. */
int rb_dest_look_at_lock(struct rb_dest *dest, const char *pipeline, struct rb_error *err);
/* Within a transaction. RB_ELOCKED: the load that the stream is of is another run's now. */
int rb_dest_check_claim(struct rb_dest *dest, const struct rb_stream_context *context,
                        struct rb_error *err);
/* BEGIN of a transaction that writes for the stream's load: until its end rb_dest_end_writers finds
 * it. In the same message as rb_dest_check_claim, so that no row is sent for another run's load.
 * RB_ELOCKED also when the session of this run that had the pipeline's lock is gone. */
int rb_dest_begin_writing(struct rb_dest *dest, const struct rb_stream_context *context,
                          struct rb_error *err);
/* Under the pipeline's lock, before a load is taken: ends the server processes in whose
 * transactions an earlier run may still commit, and waits until they are gone, for as long as locks
 * are waited for. RB_ELOCKED names one that stays. */
int rb_dest_end_writers(struct rb_dest *dest, const char *pipeline, struct rb_error *err);

/* ---- grants.c */

/* Where `err` (NULL: nothing is done) says that a right is missing and not what to do: a hint with
 * the statements that give what the role lacks for the ledger, and for the stream's table (context
 * NULL: for the ledger alone). No transaction may be open. */
void rb_grants_hint(struct rb_dest *dest, const struct rb_stream_context *context,
                    struct rb_error *err);

/* ---- entry points */
int rb_dest_begin(void *self, const char *offered, const char *pipeline,
                  const struct rb_stream_context *streams, size_t n_streams,
                  struct rb_json_value request, struct rb_json *ret, struct rb_error *err);
int rb_dest_write(void *self, const struct rb_stream_context *context, struct rb_write_summary *ret,
                  struct rb_error *err);
int rb_dest_publish(void *self, const char *load_id, const char *pipeline,
                    const struct rb_stream_context *stream, struct rb_json_value request,
                    struct rb_write_summary *ret, struct rb_error *err);
int rb_dest_abandon(void *self, const char *load_id, const char *pipeline,
                    struct rb_json_value request, struct rb_json *ret, struct rb_error *err);
int rb_dest_hash(void *self, const struct rb_stream_context *context, struct rb_json_value request,
                 struct rb_json *ret, struct rb_error *err);

#endif

/* A load in progress, as load.c and its parts share it. */
#ifndef RB_CONNECTORS_POSTGRES_DEST_LOAD_H
#define RB_CONNECTORS_POSTGRES_DEST_LOAD_H

#include <nanoarrow/nanoarrow.h>

#include "connectors/postgres/dest/dest.h"

#define RB_LOAD_TEMPORARY_NAME "rapidbyte_in"
#define RB_LOAD_TEMPORARY "pg_temp." RB_LOAD_TEMPORARY_NAME
#define RB_LOAD_POSITION "\"rapidbyte position\"" /* order of arrival, from 1 */
#define RB_LOAD_POSITION_TEXT "'rapidbyte position'"

/* ---- statement.c: a statement built piece by piece; the first failure sticks. */

struct rb_statement {
    struct rb_buf text;
    int status;
    struct rb_error *err; /* borrowed from begin to end */
};

void rb_statement_init(struct rb_statement *statement);
void rb_statement_release(struct rb_statement *statement);
void rb_statement_begin(struct rb_statement *statement, const char *text, struct rb_error *err);
void rb_statement_add(struct rb_statement *statement, const char *text);
/* Around a statement that runs SQL of the user's (settings.h): its settings before it, ours after
 * it. */
void rb_statement_as_user(struct rb_statement *statement, bool runs_sql);
void rb_statement_as_ours(struct rb_statement *statement, bool runs_sql);
/* In double quotes. */
void rb_statement_name(struct rb_statement *statement, const char *name);
/* Quoted, with commas in between. */
void rb_statement_names(struct rb_statement *statement, const struct rb_columns *columns);
void rb_statement_number(struct rb_statement *statement, int64_t number);
/* 0, or the first failure, which is in begin's `err`. */
int rb_statement_end(struct rb_statement *statement);
/* Ends the statement and runs it by simple query. `ret_affected` may be NULL. */
int rb_statement_exec(struct rb_statement *statement, struct rb_dest *dest, int64_t *ret_affected,
                      struct rb_error *err);

/* ---- range.c: rows under savepoints, those that are refused found by halving. */

#define RB_RANGE_SAVE "SAVEPOINT rapidbyte_rows; "
#define RB_RANGE_KEEP "RELEASE SAVEPOINT rapidbyte_rows; "
#define RB_RANGE_UNDO "ROLLBACK TO SAVEPOINT rapidbyte_rows; "

struct rb_range {
    struct rb_dest *dest;
    void *self;
    int64_t window; /* rows of one try, at most; positive */
    /* Loads the rows from `first` to before `end`, numbered as the caller does. `before`:
     * statements to run first; in one message, where that saves an answer to wait for. On RB_EDATA
     * *ret_suspect may say which row it was. */
    int (*load)(void *self, const char *before, int64_t first, int64_t end, int64_t *ret_suspect,
                struct rb_error *err);
    /* `row` alone was refused, for `why`: 0 leaves it out. */
    int (*reject)(void *self, int64_t row, const struct rb_error *why, struct rb_error *err);
};

/* Each try under a savepoint. What fails otherwise than by its data is an error. */
int rb_range_load(const struct rb_range *range, int64_t first, int64_t end, struct rb_error *err);

/* ---- reject.c: what becomes of a row that is refused. */

enum rb_reject_policy { RB_REJECT_FAIL, RB_REJECT_SKIP, RB_REJECT_DLQ };

struct rb_rejects {
    struct rb_dest *dest;
    const struct rb_stream_context *context;
    const struct rb_columns *columns; /* that are loaded */
    enum rb_reject_policy policy;
    int64_t n;
    int64_t n_unsent;                 /* of these: such that can't be sent, and so not be hashed */
    bool has_table;                   /* looked up or made already */
    char table[2 * RB_CONN_TEXT_MAX]; /* quoted, qualified */
    struct rb_statement sql;
};

/* RB_ECONFIG for a policy that there is not. Release in any case. */
int rb_rejects_init(struct rb_rejects *rejects, struct rb_dest *dest,
                    const struct rb_stream_context *context, const struct rb_columns *columns,
                    struct rb_error *err);
void rb_rejects_release(struct rb_rejects *rejects);
/* Leaves out the encoder's row (of its bound batch); for policies other than fail. */
int rb_rejects_encoded(struct rb_rejects *rejects, struct rb_encoder *encoder, int64_t row,
                       int64_t position, const struct rb_error *why, struct rb_error *err);
/* Leaves out the row of RB_LOAD_TEMPORARY at `position`, which stays there. */
int rb_rejects_staged(struct rb_rejects *rejects, int64_t position, const struct rb_error *why,
                      struct rb_error *err);
/* "<stream>__rejected", cut to a name's length where the stream's is too long. */
void rb_rejects_table_name(const char *stream, char ret[RB_QUOTE_NAME_MAX + 1]);
/* The table in the destination's schema: made unless it is there. ret: quoted, qualified. */
int rb_rejects_ensure_table(struct rb_dest *dest, const char *stream,
                            char ret[2 * RB_CONN_TEXT_MAX], struct rb_error *err);

/* ---- load.c */

struct rb_loading {
    struct rb_load *load;
    struct rb_dest *dest;
    struct rb_columns columns; /* the chosen ones; their strings are the stream's */
    struct rb_encoder *encoder;
    struct ArrowArrayView **children; /* of a batch, chosen */
    struct rb_statement sql;          /* by which rows come in */
    struct rb_statement tried;        /* the same for some of them, with what goes before */
    struct insert *insert;            /* insert.c's */
    struct rb_rejects rejects;
    bool is_plain;        /* an upsert's rows are moved as if no two had the same key */
    bool indirect;        /* by RB_LOAD_TEMPORARY */
    bool is_numbered;     /* which has RB_LOAD_POSITION */
    bool reads_otherwise; /* under the user's settings a text is another value than under ours */
    bool bound;           /* the encoder has a batch */
    int64_t batch_first;  /* rows of the batches before this one */
    int64_t sent;         /* rows that the server counted as they came in */
    int64_t staged;       /* of these: in RB_LOAD_TEMPORARY, to be moved to the target */
};

/* The column's index among the chosen ones, or SIZE_MAX. */
size_t rb_loading_column(const struct rb_loading *run, const char *name);
/* Where rows come in. */
const char *rb_loading_relation(const struct rb_loading *run);
/* Begins run->tried with what goes before rows of the batch from `first` on. */
void rb_loading_begin_try(struct rb_loading *run, const char *before, int64_t first,
                          struct rb_error *err);
/* The reader's batch into the encoder. */
int rb_loading_bind(struct rb_loading *run, struct rb_error *err);
int64_t rb_loading_rows(const struct rb_loading *run);
/* The bound batch from row `first` on as rb_range_load does it; `load` gets `run`. */
int rb_loading_range(struct rb_loading *run, int64_t first,
                     int (*load)(void *self, const char *before, int64_t first, int64_t end,
                                 int64_t *ret_suspect, struct rb_error *err),
                     struct rb_error *err);
/* Where a row that comes to the target runs SQL of the user: under the user's settings from here
 * on, or under ours again. */
int rb_loading_as_user(struct rb_loading *run, bool user, struct rb_error *err);
/* The next batch into the reader, which has the first one already. 0; 1: the stream ended. `kept`
 * (NULL: not wanted) takes the bytes of the one before, for rb_batch_reader_swap. */
int rb_loading_next(struct rb_loading *run, struct rb_buf *kept, struct rb_error *err);

/* ---- insert.c */

/* All batches, under savepoints whatever the policy: the server does not name the row that it
 * refuses, so it has to be looked for. */
int rb_loading_insert(struct rb_loading *run, struct rb_error *err);

/* ---- locate.c: which row and which column an error is about. */

/* COPY's own words for it (the line of binary data is the row): from 1, or 0 when it does not say.
 * `table`: the name that COPY was given, without its schema. */
int64_t rb_locate_line(const struct rb_error *error, const char *table);
/* Puts "row 7 (id = 3), column "c"" in front of an error. position 0: not known; `view` (of the
 * stream's columns) and `row` in it: NULL when the row is not at hand. */
void rb_locate_prefix(struct rb_error *error, const char *table, int64_t position,
                      const struct rb_load *load, const struct ArrowArrayView *view, int64_t row);

/* ---- cast.c */

/* Once the temporary table is full: what rb_cast_add needs, to the end. Tells of values that become
 * NULL. */
int rb_cast_begin(struct rb_loading *run, struct rb_error *err);
int rb_cast_end(struct rb_loading *run, struct rb_error *err);
/* The value of a column of the temporary table, as the target wants it. */
void rb_cast_add(const struct rb_loading *run, struct rb_statement *sql, size_t i);

/* ---- temporary.c: rows that are de-duplicated or cast on their way. */

int rb_temporary_create(struct rb_loading *run, struct rb_error *err);
/* Numbers its rows, where that was put off. */
int rb_temporary_number(struct rb_loading *run, struct rb_error *err);
/* After rows that came in were rolled back: a statement (with its semicolon) that sets the next
 * one's position. */
void rb_temporary_add_position(struct rb_statement *sql, int64_t position);
/* From the temporary table into the target. */
int rb_temporary_move(struct rb_loading *run, struct rb_error *err);

/* ---- upsert.c: its key. */

bool rb_upsert_is(const struct rb_loading *run);
/* The key's values as the target compares them; ON CONFLICT and what it does: into run->sql. */
void rb_upsert_add_key(struct rb_loading *run);
void rb_upsert_add_conflict(struct rb_loading *run);
/* Of rows with the same key the last one counts: the others go from the temporary table. */
int rb_upsert_drop_superseded(struct rb_loading *run, struct rb_error *err);
/* The row at `position`, which was refused, goes from the temporary table. */
int rb_upsert_drop_row(struct rb_loading *run, int64_t position, struct rb_error *err);
/* Rows with NULL in their key are refused, and go. */
int rb_upsert_reject_null_keys(struct rb_loading *run, struct rb_error *err);
/* After all: each row of the temporary table must be in the target, which a trigger may prevent.
 * Where the server counts as many rows as there are it is certain; where it counts fewer, keys came
 * twice, or a trigger keeps updates from being made that change nothing. */
int rb_upsert_check(struct rb_loading *run, struct rb_error *err);

#endif

/*
 * What a table is divided into, so that several sessions read it: ranges of heap blocks, of the
 * table or of the tables that it is partitioned into. Each unit has about as many bytes, TOAST
 * included.
 */
#ifndef RB_CONNECTORS_POSTGRES_SOURCE_DIVIDE_H
#define RB_CONNECTORS_POSTGRES_SOURCE_DIVIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"
#include "connectors/postgres/common/conn.h"
#include "connectors/postgres/common/query.h"
#include "connectors/postgres/source/table.h"

enum { RB_PIECES_MAX = 1024 }; /* partitions; a table with more is not divided */

/* A table whose rows are the stream's, or some of them. */
struct rb_part {
    uint32_t oid;
    int64_t bytes, blocks; /* blocks 0: ranges of them can't be read */
};

/* Zeroed: no division, one unit. */
struct rb_division {
    struct rb_part *parts;
    size_t n_parts;
    int64_t n_units;
};

/* Into at most `parallelism` units. Sets the table's estimated_bytes to what was measured. */
int rb_division_measure(struct rb_conn *conn, struct rb_table *table, int64_t parallelism,
                        struct rb_division *ret, struct rb_error *err);
void rb_division_release(struct rb_division *division);
/* Appends the member `units` of a plan's stream. */
int rb_division_write(const struct rb_division *division, const struct rb_table *table,
                      struct rb_json *ret, struct rb_error *err);

/* What of one partition a unit reads. */
struct rb_piece {
    uint32_t oid;
    char range[24];      /* as of rb_select_range; "": all of it */
    char *schema, *name; /* as they are now */
};

struct rb_pieces {
    struct rb_piece *items;
    size_t n;
};

/* Whether a unit's range is of partitions. */
bool rb_range_has_pieces(const char *range);
void rb_pieces_init(struct rb_pieces *pieces);
void rb_pieces_release(struct rb_pieces *pieces);
/* Of a unit's range, once the partitions are locked. RB_ECONNECTOR for text that is no such range.
 */
int rb_pieces_find(struct rb_conn *conn, const char *range, struct rb_pieces *ret,
                   struct rb_error *err);

#endif

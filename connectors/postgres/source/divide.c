#include "connectors/postgres/source/divide.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "connectors/postgres/common/query.h"
#include "connectors/postgres/common/quote.h"
#include "gen/connectors/postgres/source/sql.h"

enum {
    UNIT_BYTES_MIN = 8 * 1024 * 1024, /* below that, another connection costs more than it brings */
    UNITS_MAX = 256,
};

enum { S_OID, S_BYTES, S_BLOCKS, S_READABLE };

static int no_memory(struct rb_error *err)
{
    return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for the table's parts");
}

static int measure(struct rb_conn *conn, const struct rb_table *table, struct rb_query_result *ret,
                   struct rb_error *err)
{
    char oid[24], limit[24];
    snprintf(oid, sizeof oid, "%lu", (unsigned long)table->oid);
    snprintf(limit, sizeof limit, "%d", RB_PIECES_MAX + 1);
    struct rb_query_param params[] = {rb_query_text_param(oid), rb_query_text_param(limit)};
    return rb_query_run_kept(conn, rb_sql_divide, params, 2, ret, err);
}

/* *ret stays NULL where the table can't be divided. */
static int take_parts(const struct rb_query_result *rows, struct rb_part **ret, int64_t *ret_bytes,
                      struct rb_error *err)
{
    *ret = NULL;
    *ret_bytes = 0;
    if (rows->n_rows == 0 || rows->n_rows > RB_PIECES_MAX) {
        return 0;
    }
    struct rb_part *parts = calloc(rows->n_rows, sizeof *parts);
    if (parts == NULL) {
        return no_memory(err);
    }
    bool readable = true;
    for (size_t i = 0; i < rows->n_rows; i++) {
        parts[i] = (struct rb_part){.oid = (uint32_t)rb_query_int(rows, i, S_OID, 0),
                                    .bytes = rb_query_int(rows, i, S_BYTES, 0),
                                    .blocks = rb_query_int(rows, i, S_BLOCKS, 0)};
        readable = readable && rb_query_bool(rows, i, S_READABLE) && parts[i].bytes >= 0 &&
                   parts[i].blocks >= 0;
        if (__builtin_add_overflow(*ret_bytes, parts[i].bytes, ret_bytes)) {
            *ret_bytes = INT64_MAX;
            readable = false;
        }
    }
    if (readable) {
        *ret = parts;
    } else {
        free(parts);
    }
    return 0;
}

static int64_t count_units(int64_t bytes, int64_t parallelism)
{
    int64_t n = bytes / UNIT_BYTES_MIN;
    n = n < parallelism ? n : parallelism;
    n = n < UNITS_MAX ? n : UNITS_MAX;
    return n > 1 ? n : 1;
}

/* The block of the part at which its first `bytes` end. */
static int64_t block_at(const struct rb_part *part, int64_t bytes)
{
    if (bytes <= 0 || part->bytes <= 0) {
        return 0;
    }
    return bytes >= part->bytes
               ? part->blocks
               : (int64_t)((double)part->blocks * ((double)bytes / (double)part->bytes));
}

/* Appends the blocks [from, to) of the part; the last are open, for the table may have grown. Whole
 * where they are all. */
static int put_range(const struct rb_part *part, int64_t from, int64_t to, bool whole_is_empty,
                     struct rb_buf *ret)
{
    if (whole_is_empty && from == 0 && to >= part->blocks) {
        return 0;
    }
    int r = rb_buf_printf(ret, "%" PRId64 ",", from);
    return r < 0 || to >= part->blocks ? r : rb_buf_printf(ret, "%" PRId64, to);
}

/* Appends what of the parts lies in the bytes [from, to) of them all, one after the other. A part
 * without blocks to divide by is where it begins. */
static int put_unit(const struct rb_division *division, bool named, int64_t from, int64_t to,
                    struct rb_buf *ret)
{
    int64_t at = 0;
    int r = 0;
    for (size_t i = 0; r == 0 && i < division->n_parts; i++) {
        const struct rb_part *part = &division->parts[i];
        int64_t first = block_at(part, from - at), end = block_at(part, to - at);
        bool is_last = to - at >= part->bytes;
        bool begins = at >= from && at < to;
        bool any = part->blocks > 0 ? first < end : begins;
        at += part->bytes;
        if (!any) {
            continue;
        }
        if (named) {
            r = rb_buf_printf(ret, "%s%" PRIu32 ":", ret->len ? ";" : "", part->oid);
        }
        r = r < 0 ? r : put_range(part, first, is_last ? INT64_MAX : end, named, ret);
    }
    return r;
}

static void write_range(const char *range, struct rb_json *ret)
{
    rb_json_begin_object(ret);
    rb_json_member_str(ret, "range", range);
    rb_json_end_object(ret);
}

int rb_division_write(const struct rb_division *division, const struct rb_table *table,
                      struct rb_json *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    int64_t n = division->n_units, step = n > 1 ? table->estimated_bytes / n : 0;
    rb_json_key(ret, "units");
    rb_json_begin_array(ret);
    for (int64_t i = 0; i < n; i++) {
        rb_buf_clear(&text);
        /* What has no bytes yet is in the last. */
        int64_t to = i + 1 < n ? step * (i + 1) : INT64_MAX;
        if (n > 1 && put_unit(division, table->kind == 'p', step * i, to, &text) < 0) {
            return no_memory(err);
        }
        if (text.len > 0) {
            write_range(rb_buf_str(&text), ret);
        }
    }
    if (n <= 1) {
        write_range(NULL, ret);
    }
    rb_json_end_array(ret);
    return 0;
}

int rb_division_measure(struct rb_conn *conn, struct rb_table *table, int64_t parallelism,
                        struct rb_division *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rows;
    rb_query_result_init(&rows);
    int64_t bytes = 0;
    int r = measure(conn, table, &rows, err);
    r = r < 0 ? r : take_parts(&rows, &ret->parts, &bytes, err);
    if (r == 0 && ret->parts != NULL) {
        table->estimated_bytes = bytes;
        ret->n_parts = rows.n_rows;
        ret->n_units = count_units(bytes, parallelism);
    }
    return r;
}

void rb_division_release(struct rb_division *division)
{
    free(division->parts);
    *division = (struct rb_division){0};
}

bool rb_range_has_pieces(const char *range)
{
    return strchr(range, ':') != NULL;
}

static bool parse_piece(const char *text, const char *end, struct rb_piece *ret)
{
    char *colon = NULL;
    unsigned long long oid = *text >= '0' && *text <= '9' ? strtoull(text, &colon, 10) : 0;
    if (oid == 0 || oid > UINT32_MAX || *colon != ':' ||
        (size_t)(end - colon - 1) >= sizeof ret->range) {
        return false;
    }
    ret->oid = (uint32_t)oid;
    memcpy(ret->range, colon + 1, (size_t)(end - colon - 1));
    ret->range[end - colon - 1] = '\0';
    return true;
}

/* Of the text, without names. */
static int parse_pieces(const char *range, struct rb_pieces *ret, struct rb_error *err)
{
    size_t n = 1;
    for (const char *p = range; *p; p++) {
        n += *p == ';' ? 1 : 0;
    }
    ret->items = n <= RB_PIECES_MAX ? calloc(n, sizeof *ret->items) : NULL;
    bool ok = ret->items != NULL;
    for (const char *p = range; ok && ret->n < n; ret->n++) {
        const char *end = strchr(p, ';');
        end = end ? end : p + strlen(p);
        ok = parse_piece(p, end, &ret->items[ret->n]);
        p = *end ? end + 1 : end;
    }
    return ok ? 0
              : rb_error_set(err, RB_ECONNECTOR, "BAD_RANGE",
                             "'%.80s' is not a list of ranges of blocks", range);
}

static int put_oids(const struct rb_pieces *pieces, struct rb_buf *ret, struct rb_error *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < pieces->n; i++) {
        r = rb_buf_printf(ret, "%s%" PRIu32, i ? "," : "{", pieces->items[i].oid);
    }
    r = r < 0 ? r : rb_buf_append_str(ret, "}");
    return r < 0 ? no_memory(err) : 0;
}

static int take_name(const struct rb_query_result *names, size_t row, struct rb_piece *ret,
                     struct rb_error *err)
{
    const char *schema = rb_query_text(names, row, 0), *name = rb_query_text(names, row, 1);
    if (!schema || !name || rb_query_int(names, row, 2, 0) != (int64_t)ret->oid) {
        return rb_error_set(err, RB_EDB, "NO_SUCH_TABLE", "there is no partition %lu any more",
                            (unsigned long)ret->oid);
    }
    ret->schema = strdup(schema);
    ret->name = strdup(name);
    return ret->schema && ret->name ? 0 : no_memory(err);
}

int rb_pieces_find(struct rb_conn *conn, const char *range, struct rb_pieces *ret,
                   struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result names;
    rb_query_result_init(&names);
    RB_CLEANUP(rb_buf_release) struct rb_buf oids = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    int r = parse_pieces(range, ret, err);
    r = r < 0 ? r : put_oids(ret, &oids, err);
    if (r < 0) {
        return r;
    }
    struct rb_query_param param = rb_query_text_param(rb_buf_str(&oids));
    r = rb_query_run_kept(conn, rb_sql_part_names, &param, 1, &names, err);
    for (size_t i = 0; r == 0 && i < ret->n; i++) {
        r = take_name(&names, i, &ret->items[i], err);
    }
    return r;
}

void rb_pieces_init(struct rb_pieces *pieces)
{
    *pieces = (struct rb_pieces){0};
}

void rb_pieces_release(struct rb_pieces *pieces)
{
    for (size_t i = 0; i < pieces->n; i++) {
        free(pieces->items[i].schema);
        free(pieces->items[i].name);
    }
    free(pieces->items);
    rb_pieces_init(pieces);
}

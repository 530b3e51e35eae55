/*
 * Rows that the server refuses are found without sending them one by one: a try that fails is
 * repeated with half of the rows, one that succeeds is followed by a larger one, and where
 * the server names the row, those before it and it alone come next. A bad row among n costs about
 * log2(n) tries, so that few of them cost little; where all are bad, it ends at one row a try.
 */
#include "connectors/postgres/dest/load.h"

enum { GROWTH = 4 }; /* of the next try after one that succeeded; few rows are bad, as a rule */

static int64_t rows_of_try(int64_t first, int64_t end, int64_t window, int64_t suspect)
{
    int64_t n = end - first < window ? end - first : window;
    if (suspect == first) {
        return 1;
    }
    return suspect > first && suspect - first < n ? suspect - first : n;
}

/* After the row's failure. What becomes of it belongs to the savepoint, which is released next. */
static int reject(const struct rb_range *range, int64_t row, const struct rb_error *why,
                  struct rb_error *err)
{
    int status = rb_query_exec(range->dest->conn, RB_RANGE_UNDO, err);
    return status < 0 ? status : range->reject(range->self, row, why, err);
}

int rb_range_load(const struct rb_range *range, int64_t first, int64_t end, struct rb_error *err)
{
    struct rb_conn *conn = range->dest->conn;
    const char *before = RB_RANGE_SAVE;
    int64_t window = range->window;
    int64_t suspect = -1;
    while (first < end) {
        int64_t n = rows_of_try(first, end, window, suspect);
        int64_t found = -1;
        struct rb_error why;
        rb_error_clear(&why);
        int status = range->load(range->self, before, first, first + n, &found, &why);
        if (status == 0) {
            first += n;
            before = RB_RANGE_KEEP RB_RANGE_SAVE;
            window = window < range->window / GROWTH ? window * GROWTH : range->window;
        } else if (status != RB_EDATA || !rb_conn_is_usable(conn)) {
            if (err != NULL) {
                *err = why;
            }
            return status;
        } else if (n > 1) {
            suspect = found >= first && found < first + n ? found : -1;
            before = RB_RANGE_UNDO;
            window = n / 2;
        } else {
            status = reject(range, first, &why, err);
            if (status < 0) {
                return status;
            }
            first++;
            before = RB_RANGE_KEEP RB_RANGE_SAVE;
        }
    }
    return before[0] == 'S' ? 0 : rb_query_exec(conn, RB_RANGE_KEEP, err);
}

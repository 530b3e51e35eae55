/* Which streams wait for which others: the destination's foreign keys say so. */
#include <stdlib.h>
#include <string.h>

#include "host/engine/run.h"
#include "host/engine/view.h"

/* Whether `from` comes after `to`, by others or not. `seen`: n_streams, of those looked at. */
static bool comes_after(const struct rb_run *run, size_t from, size_t to, bool *seen)
{
    /* Each stream is put there once. */
    size_t *left = calloc(run->n_streams, sizeof *left);
    size_t n = 0;
    bool found = left == NULL; /* no memory: the order is not needed so much */
    if (left != NULL) {
        left[n++] = from;
        seen[from] = true;
    }
    while (!found && n > 0) {
        size_t at = left[--n];
        const struct rb_stream_run *stream = &run->streams[at];
        found = at == to;
        for (size_t i = 0; i < stream->n_after; i++) {
            size_t next = stream->after[i];
            if (!seen[next]) {
                seen[next] = true;
                left[n++] = next;
            }
        }
    }
    free(left);
    return found;
}

static void put_after(struct rb_run *run, size_t child, size_t parent)
{
    struct rb_stream_run *stream = &run->streams[child];
    bool *seen = calloc(run->n_streams, sizeof *seen);
    if (seen != NULL && !comes_after(run, parent, child, seen)) {
        size_t *after = realloc(stream->after, (stream->n_after + 1) * sizeof *after);
        if (after != NULL) {
            stream->after = after;
            stream->after[stream->n_after++] = parent;
        }
    }
    free(seen);
}

/* Those whose order is the document's, too, or the others. */
static void take(struct rb_run *run, yyjson_val *references, bool as_listed)
{
    size_t i, n, j, m;
    yyjson_val *item, *name;
    yyjson_arr_foreach(references, i, n, item)
    {
        size_t child = rb_run_find(run, rb_view_str(item, "stream_name"), 0);
        yyjson_arr_foreach(yyjson_obj_get(item, "after"), j, m, name)
        {
            size_t parent = rb_run_find(run, yyjson_get_str(name), 0);
            if (child < run->n_streams && parent < run->n_streams && child != parent &&
                (parent < child) == as_listed) {
                put_after(run, child, parent);
            }
        }
    }
}

void rb_run_take_order(struct rb_run *run, yyjson_val *references)
{
    for (size_t i = 0; i < run->n_streams; i++) {
        free(run->streams[i].after);
        run->streams[i].after = NULL;
        run->streams[i].n_after = 0;
    }
    /* Where tables refer to each other in a circle, the document's order is kept. */
    take(run, references, true);
    take(run, references, false);
}

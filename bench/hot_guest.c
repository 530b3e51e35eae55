/* A source whose discovery times the hot loops and logs them as `hot --time` prints them. */
#include "bench/hot_loops.h"
#include "rapidbyte/rapidbyte.h"

enum { TIMES = 15 }; /* of each loop; the fastest counts */

static struct rb_hot hot;

static int hot_open(const struct rb_open_context *context, void **ret_self, struct rb_error *err)
{
    (void)context, (void)err;
    *ret_self = NULL;
    return RB_OK;
}

static int hot_discover(void *self, struct rb_json_value request, struct rb_json *ret,
                        struct rb_error *err)
{
    static const char *const tables[] = {"narrow", "typed", "floats"};
    (void)self, (void)request, (void)ret, (void)err;
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
        rb_hot_demand(rb_hot_init(&hot, tables[t]), tables[t]);
        for (const struct rb_hot_loop *loop = rb_hot_loops; loop->name != NULL; loop++) {
            double best = 0;
            if (loop->prepare != NULL) {
                loop->prepare(&hot);
            }
            for (int i = 0; i < TIMES; i++) {
                double start = rb_clock_secs();
                int64_t rows = loop->run(&hot);
                double row = (rb_clock_secs() - start) / (double)rows;
                best = i == 0 || row < best ? row : best;
            }
            rb_log(RB_LOG_INFO, "%s %s %.3f", loop->name, tables[t], best * 1e9);
        }
        rb_hot_release(&hot);
    }
    return RB_OK;
}

static int hot_read(void *self, const struct rb_stream_context *context,
                    struct rb_read_summary *ret, struct rb_error *err)
{
    (void)self, (void)context, (void)ret;
    return rb_error_set(err, RB_ECONFIG, "NOTHING_TO_READ", "this source only discovers");
}

static const struct rb_connector connector = {
    .open = hot_open, .discover = hot_discover, .read = hot_read};
RB_EXPORT_SOURCE(connector)

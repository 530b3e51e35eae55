#include "host/worker/progress.h"

#include "base/fault.h"
#include "base/json.h"
#include "host/worker/clock.h"

static const int64_t interval_ns = RB_FAULT_HASTEN(100 * 1000000);

static void reset_count(struct rb_count *count)
{
    atomic_store(&count->records, 0);
    atomic_store(&count->bytes, 0);
    atomic_store(&count->batches, 0);
}

void rb_progress_reset(struct rb_progress *progress, uint64_t unit)
{
    progress->unit = unit;
    reset_count(&progress->read);
    reset_count(&progress->written);
    atomic_store(&progress->told_ns, rb_clock_ns());
}

static void write_count(struct rb_json *json, const char *key, struct rb_count *count)
{
    rb_json_key(json, key);
    rb_json_begin_object(json);
    rb_json_member_u64(json, "records", atomic_load(&count->records));
    rb_json_member_u64(json, "bytes", atomic_load(&count->bytes));
    rb_json_member_u64(json, "batches", atomic_load(&count->batches));
    rb_json_end_object(json);
}

static void tell(struct rb_progress *progress)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(1024);
    struct rb_json json;
    rb_json_init(&json, &text);
    rb_json_begin_object(&json);
    write_count(&json, "read", &progress->read);
    write_count(&json, "written", &progress->written);
    rb_json_end_object(&json);
    if (rb_json_finish(&json) == 0) {
        (void)rb_link_send(progress->link, RB_LINK_PROGRESS, progress->unit, rb_buf_str(&text),
                           text.len, NULL);
    }
}

void rb_progress_add(struct rb_progress *progress, struct rb_count *count, uint64_t records,
                     uint64_t bytes)
{
    atomic_fetch_add(&count->records, records);
    atomic_fetch_add(&count->bytes, bytes);
    atomic_fetch_add(&count->batches, 1);
    int64_t now = rb_clock_ns();
    int64_t told = atomic_load(&progress->told_ns);
    if (now - told >= interval_ns &&
        atomic_compare_exchange_strong(&progress->told_ns, &told, now)) {
        tell(progress);
    }
}

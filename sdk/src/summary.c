#include "sdk/src/summary.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void checksum(struct rb_json *json, bool has_checksum, uint64_t value)
{
    char text[17];
    snprintf(text, sizeof text, "%016" PRIx64, value);
    rb_json_member_str(json, "checksum", has_checksum ? text : NULL);
}

void rb_sdk_summary_read(struct rb_json *json, const struct rb_read_summary *s)
{
    rb_json_member_i64(json, "records_read", s->records_read);
    rb_json_member_i64(json, "bytes_read", s->bytes_read);
    rb_json_member_i64(json, "batches_emitted", s->batches_emitted);
    rb_json_member_i64(json, "checkpoint_count", s->checkpoint_count);
    rb_json_member_i64(json, "records_skipped", s->records_skipped);
    checksum(json, s->has_checksum, s->checksum);
    rb_json_key(json, "perf");
    rb_json_begin_object(json);
    rb_json_member_double(json, "connect_secs", s->connect_secs);
    rb_json_member_double(json, "query_secs", s->query_secs);
    rb_json_member_double(json, "fetch_secs", s->fetch_secs);
    rb_json_member_double(json, "encode_secs", s->encode_secs);
    rb_json_end_object(json);
}

void rb_sdk_summary_write(struct rb_json *json, const struct rb_write_summary *s)
{
    rb_json_member_i64(json, "records_written", s->records_written);
    rb_json_member_i64(json, "bytes_written", s->bytes_written);
    rb_json_member_i64(json, "batches_written", s->batches_written);
    rb_json_member_i64(json, "checkpoint_count", s->checkpoint_count);
    rb_json_member_i64(json, "records_failed", s->records_failed);
    if (s->records_superseded > 0) {
        rb_json_member_i64(json, "records_superseded", s->records_superseded);
    }
    checksum(json, s->has_checksum, s->checksum);
    rb_json_member_bool(json, "already_loaded", s->already_loaded);
    if (s->changes != NULL) {
        rb_json_member_raw(json, "changes", s->changes, strlen(s->changes));
    }
    rb_json_key(json, "perf");
    rb_json_begin_object(json);
    rb_json_member_double(json, "connect_secs", s->connect_secs);
    rb_json_member_double(json, "decode_secs", s->decode_secs);
    rb_json_member_double(json, "flush_secs", s->flush_secs);
    rb_json_member_double(json, "commit_secs", s->commit_secs);
    rb_json_end_object(json);
}

void rb_sdk_summary_transform(struct rb_json *json, const struct rb_transform_summary *s)
{
    rb_json_member_i64(json, "records_in", s->records_in);
    rb_json_member_i64(json, "records_out", s->records_out);
    rb_json_member_i64(json, "bytes_in", s->bytes_in);
    rb_json_member_i64(json, "bytes_out", s->bytes_out);
    rb_json_member_i64(json, "batches_processed", s->batches_processed);
}

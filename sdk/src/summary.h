/* Summaries as JSON: each writes its members into the open object. */
#ifndef RB_SDK_SRC_SUMMARY_H
#define RB_SDK_SRC_SUMMARY_H

#include "rapidbyte/connector.h"

void rb_sdk_summary_read(struct rb_json *json, const struct rb_read_summary *summary);
void rb_sdk_summary_write(struct rb_json *json, const struct rb_write_summary *summary);
void rb_sdk_summary_transform(struct rb_json *json, const struct rb_transform_summary *summary);

#endif

/* The streams of a document. */
#ifndef RB_HOST_CONFIG_STREAM_H
#define RB_HOST_CONFIG_STREAM_H

#include "host/config/doc.h"
#include "host/config/fields.h"
#include "host/config/pipeline.h"

enum { RB_STREAMS_MAX = 25000 };

/* Keys that may stand on the destination and, for itself, on a stream. */
struct rb_stream_defaults {
    enum rb_write_mode write_mode;
    enum rb_replace_method replace_method;
    enum rb_on_data_error on_data_error;
    enum rb_indexes indexes;
    struct rb_names primary_key;
    struct rb_schema_evolution schema_evolution;
};

void rb_stream_defaults_init(struct rb_stream_defaults *defaults);
/* Takes those keys of the destination's section that stand for every stream. NULL nodes: absent. */
void rb_stream_evolution_read(struct rb_doc *doc, const struct rb_yaml *node,
                              struct rb_schema_evolution *ret);

/* Reads the list into the pipeline's streams and patterns; mistakes go to doc. RB_ENOMEM alone. */
int rb_streams_read(struct rb_doc *doc, const struct rb_yaml *list,
                    const struct rb_stream_defaults *defaults, struct rb_pipeline *ret);

/* The hint of `err` proposes the stream whose name is nearest. */
void rb_streams_suggest(const struct rb_stream *streams, size_t n, const char *name,
                        struct rb_error *err);

extern const char *const rb_stream_sync_modes[];
extern const char *const rb_stream_write_modes[];
extern const char *const rb_stream_replace_methods[];
extern const char *const rb_stream_on_data_errors[];
extern const char *const rb_stream_indexes[];

#endif

#include "arrow/frame.h"

#include <stdbool.h>

#include "base/arith.h"
#include "base/bytes.h"

/* Fields of the tables, by their number (format/Message.fbs, format/Schema.fbs). */
enum { MESSAGE_VERSION = 0, MESSAGE_HEADER_TYPE = 1, MESSAGE_HEADER = 2, MESSAGE_BODY_LENGTH = 3 };
enum { BATCH_LENGTH = 0, BATCH_NODES = 1, BATCH_BUFFERS = 2, BATCH_COMPRESSION = 3 };
enum { SCHEMA_ENDIANNESS = 0, SCHEMA_FIELDS = 1, SCHEMA_METADATA = 2 };
enum {
    FIELD_TYPE_TYPE = 2,
    FIELD_TYPE = 3,
    FIELD_DICTIONARY = 4,
    FIELD_CHILDREN = 5,
    FIELD_METADATA = 6,
};
enum { PAIR_KEY = 0, PAIR_VALUE = 1 };
enum { HEADER_SCHEMA = 1, HEADER_DICTIONARY_BATCH = 2, HEADER_RECORD_BATCH = 3 };
enum { VERSION_V4 = 3, VERSION_V5 = 4 };

struct bytes {
    const uint8_t *data;
    size_t len;
};

struct table {
    size_t at;
    size_t len;
    size_t vtable;
    size_t vtable_len;
};

struct message {
    struct bytes bytes; /* without the prefix */
    int header_type;
    struct table header;
    uint64_t body_len;
};

static bool inside(const struct bytes *b, size_t at, size_t n)
{
    return at <= b->len && n <= b->len - at;
}

static uint16_t load_u16(const struct bytes *b, size_t at)
{
    return (uint16_t)(b->data[at] | b->data[at + 1] << 8);
}

/* Follows the offset that stands at `at`. */
static bool follow(const struct bytes *b, size_t at, size_t *ret)
{
    if (!inside(b, at, 4)) {
        return false;
    }
    size_t target;
    if (!rb_add_size(at, rb_load_le32(b->data + at), &target) || !inside(b, target, 4)) {
        return false;
    }
    *ret = target;
    return true;
}

static bool open_table(const struct bytes *b, size_t at, struct table *ret)
{
    if (!inside(b, at, 4)) {
        return false;
    }
    int64_t vtable = (int64_t)at - (int32_t)rb_load_le32(b->data + at);
    if (vtable < 0 || !inside(b, (size_t)vtable, 4)) {
        return false;
    }
    struct table table = {.at = at, .vtable = (size_t)vtable};
    table.vtable_len = load_u16(b, table.vtable);
    table.len = load_u16(b, table.vtable + 2);
    if (table.vtable_len < 4 || !inside(b, table.vtable, table.vtable_len) ||
        !inside(b, table.at, table.len)) {
        return false;
    }
    *ret = table;
    return true;
}

/* Where a field's `size` bytes are; 0 when the field is absent. False: outside its table. */
static bool find_field(const struct bytes *b, const struct table *table, size_t number, size_t size,
                       size_t *ret)
{
    size_t entry = 4 + 2 * number;
    size_t offset = entry + 2 <= table->vtable_len ? load_u16(b, table->vtable + entry) : 0;
    if (offset == 0) {
        *ret = 0;
        return true;
    }
    if (offset > table->len || size > table->len - offset) {
        return false;
    }
    *ret = table->at + offset;
    return true;
}

/* A vector of structs; an absent one is empty. */
static bool find_vector(const struct bytes *b, const struct table *table, size_t number,
                        size_t item_size, size_t *ret_at, size_t *ret_n)
{
    size_t field;
    size_t at;
    if (!find_field(b, table, number, 4, &field)) {
        return false;
    }
    if (field == 0) {
        *ret_at = 0;
        *ret_n = 0;
        return true;
    }
    if (!follow(b, field, &at)) {
        return false;
    }
    size_t n = rb_load_le32(b->data + at);
    size_t size;
    if (!rb_mul_size(n, item_size, &size) || !inside(b, at + 4, size)) {
        return false;
    }
    *ret_at = at + 4;
    *ret_n = n;
    return true;
}

static int refuse(struct rb_error *err, const char *what)
{
    return rb_error_set(err, RB_EPROTOCOL, "BAD_BATCH", "not an Arrow IPC stream of one batch: %s",
                        what);
}

static int open_message(const struct bytes *stream, size_t at, struct message *ret,
                        struct rb_error *err)
{
    if (!inside(stream, at, RB_FRAME_PREFIX) ||
        rb_load_le32(stream->data + at) != UINT32_C(0xffffffff)) {
        return refuse(err, "a message does not begin with 0xffffffff");
    }
    size_t len = rb_load_le32(stream->data + at + 4);
    if (len == 0 || len % 8 != 0 || !inside(stream, at + RB_FRAME_PREFIX, len)) {
        return refuse(err, "a message's length is out of bounds");
    }
    struct message message = {
        .bytes = {.data = stream->data + at + RB_FRAME_PREFIX, .len = len},
    };
    const struct bytes *b = &message.bytes;
    struct table table;
    size_t root;
    size_t version;
    size_t type;
    size_t header;
    size_t body;
    if (!follow(b, 0, &root) || !open_table(b, root, &table) ||
        !find_field(b, &table, MESSAGE_VERSION, 2, &version) ||
        !find_field(b, &table, MESSAGE_HEADER_TYPE, 1, &type) ||
        !find_field(b, &table, MESSAGE_HEADER, 4, &header) ||
        !find_field(b, &table, MESSAGE_BODY_LENGTH, 8, &body) || type == 0 || header == 0 ||
        !follow(b, header, &header) || !open_table(b, header, &message.header)) {
        return refuse(err, "a message's header is broken");
    }
    unsigned v = version == 0 ? 0 : load_u16(b, version);
    if (v != VERSION_V4 && v != VERSION_V5) {
        return refuse(err, "its metadata version is neither 4 nor 5");
    }
    message.header_type = b->data[type];
    message.body_len = body == 0 ? 0 : rb_load_le64(b->data + body);
    *ret = message;
    return RB_OK;
}

static int check_schema(const struct message *message, struct rb_error *err)
{
    if (message->header_type != HEADER_SCHEMA || message->body_len != 0) {
        return refuse(err, "it does not begin with a schema");
    }
    size_t endianness;
    if (!find_field(&message->bytes, &message->header, SCHEMA_ENDIANNESS, 2, &endianness) ||
        (endianness != 0 && load_u16(&message->bytes, endianness) != 0)) {
        return refuse(err, "it is not little-endian");
    }
    return RB_OK;
}

static int check_nodes(const struct bytes *stream, const struct rb_frame *frame,
                       struct rb_error *err)
{
    for (size_t i = 0; i < frame->n_nodes; i++) {
        const uint8_t *node = stream->data + frame->nodes_at + i * RB_FRAME_NODE;
        uint64_t length = rb_load_le64(node);
        int64_t nulls = (int64_t)rb_load_le64(node + 8);
        if (length > RB_FRAME_ROWS_MAX || nulls < -1 || nulls > (int64_t)length) {
            return refuse(err, "an array's length is out of bounds");
        }
    }
    return RB_OK;
}

static int check_buffers(const struct bytes *stream, const struct rb_frame *frame,
                         struct rb_error *err)
{
    for (size_t i = 0; i < frame->n_buffers; i++) {
        const uint8_t *buffer = stream->data + frame->buffers_at + i * RB_FRAME_BUFFER;
        uint64_t offset = rb_load_le64(buffer);
        uint64_t length = rb_load_le64(buffer + 8);
        /* An array's values are read in place, as what they are. */
        if (offset % 8 != 0 || offset > frame->body_len || length > frame->body_len - offset) {
            return refuse(err, "a buffer lies outside the body");
        }
    }
    return RB_OK;
}

static int check_batch(const struct bytes *stream, const struct message *message,
                       struct rb_frame *frame, struct rb_error *err)
{
    if (message->header_type == HEADER_DICTIONARY_BATCH) {
        return refuse(err, "dictionaries are not part of the contract");
    }
    if (message->header_type != HEADER_RECORD_BATCH) {
        return refuse(err, "the second message is not a record batch");
    }
    const struct bytes *b = &message->bytes;
    size_t length;
    size_t compression;
    if (!find_field(b, &message->header, BATCH_LENGTH, 8, &length) ||
        !find_field(b, &message->header, BATCH_COMPRESSION, 4, &compression) ||
        !find_vector(b, &message->header, BATCH_NODES, RB_FRAME_NODE, &frame->nodes_at,
                     &frame->n_nodes) ||
        !find_vector(b, &message->header, BATCH_BUFFERS, RB_FRAME_BUFFER, &frame->buffers_at,
                     &frame->n_buffers)) {
        return refuse(err, "the record batch's header is broken");
    }
    if (compression != 0) {
        return refuse(err, "the record batch is compressed");
    }
    uint64_t n_rows = length == 0 ? 0 : rb_load_le64(b->data + length);
    if (n_rows > RB_FRAME_ROWS_MAX) {
        return refuse(err, "the number of rows is out of bounds");
    }
    frame->n_rows = (int64_t)n_rows;
    frame->nodes_at += frame->header_at + RB_FRAME_PREFIX;
    frame->buffers_at += frame->header_at + RB_FRAME_PREFIX;
    int status = check_nodes(stream, frame, err);
    return status < 0 ? status : check_buffers(stream, frame, err);
}

int rb_frame_parse(const void *data, size_t len, struct rb_frame *ret, struct rb_error *err)
{
    struct bytes stream = {.data = data, .len = len};
    struct message schema;
    struct message batch;
    int status = open_message(&stream, 0, &schema, err);
    if (status == RB_OK) {
        status = check_schema(&schema, err);
    }
    if (status < 0) {
        return status;
    }
    struct rb_frame frame = {.schema_len = RB_FRAME_PREFIX + schema.bytes.len};
    frame.header_at = frame.schema_len;
    status = open_message(&stream, frame.header_at, &batch, err);
    if (status < 0) {
        return status;
    }
    frame.header_len = RB_FRAME_PREFIX + batch.bytes.len;
    frame.body_at = frame.header_at + frame.header_len;
    if (batch.body_len > len - frame.body_at) {
        return refuse(err, "the record batch's body is cut short");
    }
    frame.body_len = (size_t)batch.body_len;
    status = check_batch(&stream, &batch, &frame, err);
    if (status < 0) {
        return status;
    }
    size_t end = frame.body_at + frame.body_len;
    if (len - end != RB_FRAME_PREFIX || rb_load_le32(stream.data + end) != UINT32_C(0xffffffff) ||
        rb_load_le32(stream.data + end + 4) != 0) {
        return refuse(err, "the end is missing, or something stands after the batch");
    }
    *ret = frame;
    return RB_OK;
}

/* The i-th table of a vector that find_vector found. */
static bool open_item(const struct bytes *b, size_t vector, size_t i, struct table *ret)
{
    size_t at;
    return follow(b, vector + 4 * i, &at) && open_table(b, at, ret);
}

static bool check_pairs(const struct bytes *b, const struct table *table, size_t number)
{
    size_t at;
    size_t n;
    if (!find_vector(b, table, number, 4, &at, &n)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        struct table pair;
        size_t key;
        size_t value;
        if (!open_item(b, at, i, &pair) || !find_field(b, &pair, PAIR_KEY, 4, &key) ||
            !find_field(b, &pair, PAIR_VALUE, 4, &value) || key == 0 || value == 0) {
            return false;
        }
    }
    return true;
}

static bool check_fields(const struct bytes *b, const struct table *table, size_t number, int depth)
{
    size_t at;
    size_t n;
    if (depth > RB_FRAME_DEPTH_MAX || !find_vector(b, table, number, 4, &at, &n)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        struct table field;
        size_t type_type;
        size_t type;
        size_t dictionary;
        if (!open_item(b, at, i, &field) ||
            !find_field(b, &field, FIELD_TYPE_TYPE, 1, &type_type) ||
            !find_field(b, &field, FIELD_TYPE, 4, &type) ||
            !find_field(b, &field, FIELD_DICTIONARY, 4, &dictionary) || type_type == 0 ||
            type == 0 || dictionary != 0 || !check_pairs(b, &field, FIELD_METADATA) ||
            !check_fields(b, &field, FIELD_CHILDREN, depth + 1)) {
            return false;
        }
    }
    return true;
}

int rb_frame_check_schema(const void *data, size_t len, struct rb_error *err)
{
    struct bytes stream = {.data = data, .len = len};
    struct message schema;
    int status = open_message(&stream, 0, &schema, err);
    if (status < 0) {
        return status;
    }
    if (!check_pairs(&schema.bytes, &schema.header, SCHEMA_METADATA) ||
        !check_fields(&schema.bytes, &schema.header, SCHEMA_FIELDS, 0)) {
        return refuse(err, "its schema has a field that is incomplete, or dictionaries");
    }
    return RB_OK;
}

#include "host/config/wasm_section.h"

#include <stdbool.h>
#include <string.h>

struct cursor {
    const uint8_t *p, *end;
};

/* Unsigned LEB128 of at most 32 bits. */
static bool read_u32(struct cursor *c, uint32_t *ret)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 35 && c->p < c->end; shift += 7) {
        uint8_t byte = *c->p++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *ret = (uint32_t)value;
            return value <= UINT32_MAX;
        }
    }
    return false;
}

/* The next `len` bytes as a cursor of their own. */
static bool read_part(struct cursor *c, struct cursor *ret)
{
    uint32_t len = 0;
    if (!read_u32(c, &len) || len > (size_t)(c->end - c->p)) {
        return false;
    }
    *ret = (struct cursor){.p = c->p, .end = c->p + len};
    c->p += len;
    return true;
}

enum rb_wasm_section_outcome rb_wasm_section_find(const uint8_t *data, size_t len, const char *name,
                                                  const uint8_t **ret_data, size_t *ret_len)
{
    static const uint8_t magic[8] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    if (len < sizeof magic || memcmp(data, magic, sizeof magic) != 0) {
        return RB_WASM_SECTION_NOT_WASM;
    }
    struct cursor c = {.p = data + sizeof magic, .end = data + len};
    while (c.p < c.end) {
        uint8_t id = *c.p++;
        struct cursor section, title;
        if (!read_part(&c, &section)) {
            return RB_WASM_SECTION_NOT_WASM;
        }
        if (id != 0) {
            continue;
        }
        if (!read_part(&section, &title)) {
            return RB_WASM_SECTION_NOT_WASM;
        }
        size_t title_len = (size_t)(title.end - title.p);
        if (title_len == strlen(name) && memcmp(title.p, name, title_len) == 0) {
            *ret_data = section.p;
            *ret_len = (size_t)(section.end - section.p);
            return RB_WASM_SECTION_FOUND;
        }
    }
    return RB_WASM_SECTION_NONE;
}

#include "host/link/text.h"

#include <stdint.h>
#include <string.h>

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int rb_link_base64_encode(const void *data, size_t len, struct rb_buf *ret)
{
    const uint8_t *in = data;
    if (len == 0) {
        return 0;
    }
    int r = rb_buf_reserve(ret, (len + 2) / 3 * 4);
    for (size_t i = 0; i < len && r == 0; i += 3) {
        size_t n = len - i < 3 ? len - i : 3;
        uint32_t bits = (uint32_t)in[i] << 16;
        bits |= n > 1 ? (uint32_t)in[i + 1] << 8 : 0;
        bits |= n > 2 ? (uint32_t)in[i + 2] : 0;
        char group[4] = {base64_digits[bits >> 18], base64_digits[bits >> 12 & 63],
                         n > 1 ? base64_digits[bits >> 6 & 63] : '=',
                         n > 2 ? base64_digits[bits & 63] : '='};
        r = rb_buf_append(ret, group, sizeof group);
    }
    return r;
}

static int base64_value(char c)
{
    const char *at = c == 0 ? NULL : strchr(base64_digits, c);
    return at == NULL ? -1 : (int)(at - base64_digits);
}

int rb_link_base64_decode(const char *text, size_t len, struct rb_buf *ret)
{
    if (len % 4 != 0) {
        return RB_EPROTOCOL;
    }
    for (size_t i = 0; i < len; i += 4) {
        size_t n = 4;
        if (i + 4 == len) {
            n = text[i + 3] != '=' ? 4 : text[i + 2] != '=' ? 3 : 2;
        }
        uint32_t bits = 0;
        for (size_t j = 0; j < n; j++) {
            int v = base64_value(text[i + j]);
            if (v < 0) {
                return RB_EPROTOCOL;
            }
            bits |= (uint32_t)v << (18 - 6 * j);
        }
        if ((bits & ((1U << (8 * (4 - n))) - 1)) != 0) {
            return RB_EPROTOCOL; /* two texts would stand for the same bytes */
        }
        uint8_t bytes[3] = {(uint8_t)(bits >> 16), (uint8_t)(bits >> 8), (uint8_t)bits};
        int r = rb_buf_append(ret, bytes, n - 1);
        if (r != 0) {
            return r;
        }
    }
    return 0;
}

int rb_link_hex_encode(const void *data, size_t len, struct rb_buf *ret)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *in = data;
    for (size_t i = 0; i < len; i++) {
        char pair[2] = {digits[in[i] >> 4], digits[in[i] & 15]};
        int r = rb_buf_append(ret, pair, sizeof pair);
        if (r != 0) {
            return r;
        }
    }
    return 0;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int rb_link_hex_decode(const char *text, size_t len, struct rb_buf *ret)
{
    if (len % 2 != 0) {
        return RB_EPROTOCOL;
    }
    for (size_t i = 0; i < len; i += 2) {
        int high = hex_value(text[i]);
        int low = hex_value(text[i + 1]);
        if (high < 0 || low < 0) {
            return RB_EPROTOCOL;
        }
        int r = rb_buf_append_byte(ret, (uint8_t)(high << 4 | low));
        if (r != 0) {
            return r;
        }
    }
    return 0;
}

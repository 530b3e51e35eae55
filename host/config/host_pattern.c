#include "host/config/host_pattern.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "host/config/scalar.h"

bool rb_host_pattern_parse(struct rb_arena *arena, const char *text, struct rb_spec_allow *ret)
{
    const char *host = text, *host_end = text + strlen(text), *port = NULL;
    int64_t number = 0;
    if (*text == '[') {
        host = text + 1;
        host_end = strchr(host, ']');
        if (host_end == NULL || (host_end[1] != '\0' && host_end[1] != ':')) {
            return false;
        }
        port = host_end[1] == ':' ? host_end + 2 : NULL;
    } else if (strchr(text, ':') != NULL && strchr(text, ':') == strrchr(text, ':')) {
        host_end = strchr(text, ':');
        port = host_end + 1;
    }
    if (host == host_end ||
        (port != NULL && (!rb_scalar_i64(port, &number) || number < 1 || number > 65535))) {
        return false;
    }
    *ret = (struct rb_spec_allow){.host = rb_arena_strndup(arena, host, (size_t)(host_end - host)),
                                  .port = (int)number};
    return true;
}

struct network {
    int family;
    uint8_t bytes[16];
    int bits;
};

static bool network_parse(const char *text, struct network *ret)
{
    char address[64];
    const char *slash = strchr(text, '/');
    size_t len = slash == NULL ? strlen(text) : (size_t)(slash - text);
    int64_t bits = -1;
    if (len >= sizeof address) {
        return false;
    }
    memcpy(address, text, len);
    address[len] = '\0';
    if (inet_pton(AF_INET, address, ret->bytes) == 1) {
        ret->family = AF_INET;
    } else if (inet_pton(AF_INET6, address, ret->bytes) == 1) {
        ret->family = AF_INET6;
    } else {
        return false;
    }
    int width = ret->family == AF_INET ? 32 : 128;
    if (slash != NULL && (!rb_scalar_i64(slash + 1, &bits) || bits < 0 || bits > width)) {
        return false;
    }
    ret->bits = slash == NULL ? width : (int)bits;
    return true;
}

static bool network_covers(const struct network *a, const struct network *b)
{
    if (a->family != b->family || a->bits > b->bits) {
        return false;
    }
    for (int i = 0; i < a->bits; i++) {
        int mask = 0x80 >> (i % 8);
        if ((a->bytes[i / 8] & mask) != (b->bytes[i / 8] & mask)) {
            return false;
        }
    }
    return true;
}

bool rb_host_pattern_covers(const struct rb_spec_allow *a, const struct rb_spec_allow *b)
{
    struct network net_a, net_b;
    if (a->port != 0 && a->port != b->port) {
        return false;
    }
    if (strcasecmp(a->host, b->host) == 0) {
        return true;
    }
    if (strncmp(a->host, "*.", 2) == 0) {
        size_t suffix = strlen(a->host) - 1, len = strlen(b->host);
        return len > suffix && strcasecmp(b->host + len - suffix, a->host + 1) == 0;
    }
    return network_parse(a->host, &net_a) && network_parse(b->host, &net_b) &&
           network_covers(&net_a, &net_b);
}

#include "host/net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

bool rb_address_parse(const char *text, int port, struct rb_net_address *ret)
{
    char bare[RB_ADDRESS_TEXT_MAX];
    size_t len = strlen(text);
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    if (len >= sizeof bare) {
        return false;
    }
    memcpy(bare, text, len);
    bare[len] = 0;
    struct rb_net_address address = {.port = (uint16_t)port};
    if (inet_pton(AF_INET, bare, address.bytes) == 1) {
        address.family = RB_NET_INET4;
    } else if (inet_pton(AF_INET6, bare, address.bytes) == 1) {
        address.family = RB_NET_INET6;
    } else {
        return false;
    }
    *ret = address;
    return true;
}

void rb_address_format(const struct rb_net_address *address, char ret[RB_ADDRESS_TEXT_MAX])
{
    int family = address->family == RB_NET_INET4 ? AF_INET : AF_INET6;
    if (inet_ntop(family, address->bytes, ret, RB_ADDRESS_TEXT_MAX) == NULL) {
        ret[0] = 0;
    }
}

bool rb_address_of_sockaddr(const struct sockaddr_storage *from, struct rb_net_address *ret)
{
    if (from->ss_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, from, sizeof v4);
        *ret = (struct rb_net_address){.family = RB_NET_INET4, .port = ntohs(v4.sin_port)};
        memcpy(ret->bytes, &v4.sin_addr, 4);
        return true;
    }
    if (from->ss_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, from, sizeof v6);
        *ret = (struct rb_net_address){.family = RB_NET_INET6, .port = ntohs(v6.sin6_port)};
        memcpy(ret->bytes, &v6.sin6_addr, 16);
        return true;
    }
    return false;
}

socklen_t rb_address_to_sockaddr(const struct rb_net_address *address, struct sockaddr_storage *ret)
{
    memset(ret, 0, sizeof *ret);
    if (address->family == RB_NET_INET4) {
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(address->port)};
        memcpy(&v4.sin_addr, address->bytes, 4);
        memcpy(ret, &v4, sizeof v4);
        return sizeof v4;
    }
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(address->port)};
    memcpy(&v6.sin6_addr, address->bytes, 16);
    memcpy(ret, &v6, sizeof v6);
    return sizeof v6;
}

/* The IPv4 address in the last four bytes. */
static struct rb_net_address embedded(const struct rb_net_address *address)
{
    struct rb_net_address v4 = {.family = RB_NET_INET4, .port = address->port};
    memcpy(v4.bytes, address->bytes + 12, 4);
    return v4;
}

struct rb_net_address rb_address_unmap(const struct rb_net_address *address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (address->family == RB_NET_INET6 && memcmp(address->bytes, mapped, sizeof mapped) == 0) {
        return embedded(address);
    }
    return *address;
}

bool rb_address_in(const struct rb_net_address *address, const struct rb_net_address *network,
                   unsigned bits)
{
    unsigned width = network->family == RB_NET_INET4 ? 32 : 128;
    if (address->family != network->family || bits > width) {
        return false;
    }
    unsigned whole = bits / 8;
    unsigned rest = bits % 8;
    if (memcmp(address->bytes, network->bytes, whole) != 0) {
        return false;
    }
    return rest == 0 || (address->bytes[whole] ^ network->bytes[whole]) >> (8 - rest) == 0;
}

/* Where a packet to it ends up. */
static struct rb_net_address reached(const struct rb_net_address *address)
{
    static const struct rb_net_address nat64 = {RB_NET_INET6, {0x00, 0x64, 0xff, 0x9b}, 0};
    struct rb_net_address plain = rb_address_unmap(address);
    return rb_address_in(&plain, &nat64, 96) ? embedded(&plain) : plain;
}

bool rb_address_is_loopback(const struct rb_net_address *address)
{
    static const struct rb_net_address inet4 = {RB_NET_INET4, {127}, 0};
    static const struct rb_net_address inet6 = {RB_NET_INET6, {[15] = 1}, 0};
    struct rb_net_address plain = reached(address);
    return rb_address_in(&plain, &inet4, 8) || rb_address_in(&plain, &inet6, 128);
}

bool rb_address_is_special(const struct rb_net_address *address)
{
    static const struct {
        struct rb_net_address network;
        unsigned bits;
    } special[] = {
        {{RB_NET_INET4, {0}, 0}, 8},                       /* "this network": 0.0.0.0 is us */
        {{RB_NET_INET4, {169, 254}, 0}, 16},               /* link-local, metadata */
        {{RB_NET_INET4, {224}, 0}, 4},                     /* multicast */
        {{RB_NET_INET4, {255, 255, 255, 255}, 0}, 32},     /* broadcast */
        {{RB_NET_INET4, {100, 100, 100, 200}, 0}, 32},     /* metadata, Alibaba Cloud */
        {{RB_NET_INET4, {168, 63, 129, 16}, 0}, 32},       /* metadata, Azure */
        {{RB_NET_INET6, {0}, 0}, 128},                     /* unspecified */
        {{RB_NET_INET6, {0xfe, 0x80}, 0}, 10},             /* link-local */
        {{RB_NET_INET6, {0xff}, 0}, 8},                    /* multicast */
        {{RB_NET_INET6, {0xfd, 0x00, 0x0e, 0xc2}, 0}, 32}, /* metadata, AWS: fd00:ec2::254 */
    };
    struct rb_net_address plain = reached(address);
    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++) {
        if (rb_address_in(&plain, &special[i].network, special[i].bits)) {
            return true;
        }
    }
    return false;
}

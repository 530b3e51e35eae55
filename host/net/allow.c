#include "host/net/allow.h"

#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/net/address.h"

enum rule_kind { RULE_INVALID, RULE_NAME, RULE_SUFFIX, RULE_ADDRESS, RULE_NETWORK, RULE_PATH };

struct rule {
    enum rule_kind kind;
    const char *text;              /* name; ".suffix"; path */
    struct rb_net_address address; /* of an address or a network */
    unsigned bits;                 /* of a network */
    int port;
};

static bool parse_network(const char *text, struct rule *rule)
{
    char address[RB_ADDRESS_TEXT_MAX];
    const char *slash = strchr(text, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - text);
    if (slash == NULL || len >= sizeof address) {
        return false;
    }
    memcpy(address, text, len);
    address[len] = 0;
    char *end = NULL;
    if (slash[1] < '0' || slash[1] > '9' || !rb_address_parse(address, 0, &rule->address)) {
        return false;
    }
    unsigned long bits = strtoul(slash + 1, &end, 10);
    if (*end != 0 || bits > (rule->address.family == RB_NET_INET4 ? 32U : 128U)) {
        return false;
    }
    rule->bits = (unsigned)bits;
    return true;
}

static bool is_name(const char *text)
{
    size_t len = strlen(text);
    return len > 0 && len <= 254 && text[0] != '.' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == len;
}

static struct rule parse_rule(const struct rb_net_allow *entry)
{
    struct rule rule = {.kind = RULE_INVALID, .text = entry->host, .port = entry->port};
    if (entry->host == NULL || entry->port < 0 || entry->port > 65535) {
        return rule;
    }
    if (entry->host[0] == '/') {
        rule.kind = RULE_PATH;
    } else if (strchr(entry->host, '/') != NULL) {
        rule.kind = parse_network(entry->host, &rule) ? RULE_NETWORK : RULE_INVALID;
    } else if (rb_address_parse(entry->host, 0, &rule.address)) {
        rule.kind = RULE_ADDRESS;
    } else if (entry->host[0] == '*' && entry->host[1] == '.' && is_name(entry->host + 2)) {
        rule.kind = RULE_SUFFIX;
        rule.text = entry->host + 1;
    } else if (is_name(entry->host)) {
        rule.kind = RULE_NAME;
    }
    return rule;
}

int rb_allow_validate(const struct rb_net_allow *list, size_t n, struct rb_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (parse_rule(&list[i]).kind != RULE_INVALID) {
            continue;
        }
        rb_error_set(err, RB_ECONFIG, "NET_ALLOW_INVALID",
                     "\"%s\", port %d, is not an entry of the network allow-list",
                     list[i].host != NULL ? list[i].host : "", list[i].port);
        rb_error_set_hint(err, "an entry is a host name, *.suffix, an address, a network such as "
                               "10.0.0.0/8, or the absolute path of a Unix socket's directory");
        return RB_ECONFIG;
    }
    return 0;
}

static bool port_fits(const struct rule *rule, int port)
{
    return rule->port == 0 || port == 0 || rule->port == port;
}

/* A final dot says that the name is complete, and nothing else. */
static size_t name_length(const char *name)
{
    size_t len = strlen(name);
    return len > 1 && name[len - 1] == '.' ? len - 1 : len;
}

bool rb_allow_name(const struct rb_net_allow *list, size_t n, const char *name, int port)
{
    size_t len = name_length(name);
    for (size_t i = 0; i < n; i++) {
        struct rule rule = parse_rule(&list[i]);
        if ((rule.kind != RULE_NAME && rule.kind != RULE_SUFFIX) || !port_fits(&rule, port)) {
            continue;
        }
        size_t rule_len = name_length(rule.text);
        if (rule.kind == RULE_NAME ? rule_len == len : rule_len < len) {
            if (strncasecmp(name + (len - rule_len), rule.text, rule_len) == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool is_this_machine(const char *name, size_t len)
{
    static const char localhost[] = "localhost";
    char own[HOST_NAME_MAX + 1] = "";
    if (gethostname(own, sizeof own - 1) == 0 && strlen(own) == len &&
        strncasecmp(own, name, len) == 0) {
        return true;
    }
    size_t n = sizeof localhost - 1;
    return len >= n && strncasecmp(name + (len - n), localhost, n) == 0 &&
           (len == n || name[len - n - 1] == '.');
}

static bool names_this_machine(const struct rb_net_allow *list, size_t n, int port)
{
    for (size_t i = 0; i < n; i++) {
        struct rule rule = parse_rule(&list[i]);
        if ((rule.kind == RULE_NAME || rule.kind == RULE_SUFFIX) && port_fits(&rule, port) &&
            is_this_machine(rule.text, name_length(rule.text))) {
            return true;
        }
    }
    return false;
}

bool rb_allow_address(const struct rb_net_allow *list, size_t n,
                      const struct rb_net_address *address, bool by_name)
{
    struct rb_net_address plain = rb_address_unmap(address);
    bool special = rb_address_is_special(&plain);
    if (by_name && !special &&
        (!rb_address_is_loopback(&plain) || names_this_machine(list, n, plain.port))) {
        return true;
    }
    for (size_t i = 0; i < n; i++) {
        struct rule rule = parse_rule(&list[i]);
        if (!port_fits(&rule, plain.port)) {
            continue;
        }
        struct rb_net_address own = rb_address_unmap(&rule.address);
        if (rule.kind == RULE_ADDRESS &&
            rb_address_in(&plain, &own, own.family == RB_NET_INET4 ? 32 : 128)) {
            return true;
        }
        if (rule.kind == RULE_NETWORK && !special &&
            rb_address_in(&plain, &rule.address, rule.bits)) {
            return true;
        }
    }
    return false;
}

/* "." and ".." would lead out of a directory that is listed. */
static bool is_plain_path(const char *path)
{
    for (const char *at = path; (at = strchr(at, '/')) != NULL;) {
        at++;
        size_t len = strcspn(at, "/");
        if ((len == 1 && at[0] == '.') || (len == 2 && at[0] == '.' && at[1] == '.')) {
            return false;
        }
    }
    return path[0] == '/';
}

static size_t path_length(const char *path)
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    return len;
}

bool rb_allow_unix(const struct rb_net_allow *list, size_t n, const char *path, int port)
{
    if (!is_plain_path(path)) {
        return false;
    }
    char file[32];
    snprintf(file, sizeof file, ".s.PGSQL.%d", port);
    const char *slash = strrchr(path, '/');
    bool is_postgres = strcmp(slash + 1, file) == 0;
    size_t dir_len = slash == path ? 1 : (size_t)(slash - path);
    while (dir_len > 1 && path[dir_len - 1] == '/') {
        dir_len--;
    }
    for (size_t i = 0; i < n; i++) {
        struct rule rule = parse_rule(&list[i]);
        if (rule.kind != RULE_PATH || !port_fits(&rule, port)) {
            continue;
        }
        size_t len = path_length(rule.text);
        if (strcmp(path, rule.text) == 0 ||
            (is_postgres && len == dir_len && memcmp(path, rule.text, len) == 0)) {
            return true;
        }
    }
    return false;
}

static bool has_name(const struct rb_net_allow *list, size_t n, int port)
{
    for (size_t i = 0; i < n; i++) {
        struct rule rule = parse_rule(&list[i]);
        if ((rule.kind == RULE_NAME || rule.kind == RULE_SUFFIX) && port_fits(&rule, port)) {
            return true;
        }
    }
    return false;
}

static bool allow_unix_peer(const struct rb_net_allow *list, size_t n,
                            const struct sockaddr_un *peer, size_t path_len)
{
    char path[sizeof peer->sun_path + 1] = {0};
    memcpy(path, peer->sun_path, path_len < sizeof path - 1 ? path_len : sizeof path - 1);
    const char *dot = strrchr(path, '.');
    long port = dot == NULL ? 0 : strtol(dot + 1, NULL, 10);
    return path[0] == '/' && port >= 0 && port <= 65535 && rb_allow_unix(list, n, path, (int)port);
}

bool rb_allow_peer(const struct rb_net_allow *list, size_t n, const struct sockaddr_storage *peer,
                   socklen_t len)
{
    struct rb_net_address address;
    if (len > offsetof(struct sockaddr_un, sun_path) && peer->ss_family == AF_UNIX) {
        struct sockaddr_un unix_peer = {0};
        memcpy(&unix_peer, peer, len < sizeof unix_peer ? len : sizeof unix_peer);
        return allow_unix_peer(list, n, &unix_peer, len - offsetof(struct sockaddr_un, sun_path));
    }
    socklen_t needed =
        peer->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    return len >= needed && rb_address_of_sockaddr(peer, &address) && address.port != 0 &&
           rb_allow_address(list, n, &address, has_name(list, n, address.port));
}

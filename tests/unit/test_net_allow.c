#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/net/address.h"
#include "host/net/allow.h"

static const struct rb_net_allow LIST[] = {
    {"db.example.com", 5432}, {"*.pool.example.com", 0},
    {"192.0.2.7", 0},         {"10.0.0.0/8", 5432},
    {"2001:db8::/33", 0},     {"[2001:db9::1]", 0},
    {"169.254.169.254", 80},  {"/var/run/postgresql", 0},
    {"/srv/app.sock", 0},     {"0.0.0.0/0", 9999},
    {"::/0", 9999},           {"/srv/one", 5433},
};
enum { N = sizeof LIST / sizeof LIST[0] };

/* So that a failing row of a table has a name. */
static void expect(bool got, bool want, const char *row, int port)
{
    if (got != want) {
        fail_msg("%s port %d: %s", row, port, got ? "let in" : "kept out");
    }
}

static void names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int port;
        bool allowed;
    } rows[] = {
        {"db.example.com", 5432, true},
        {"DB.Example.COM", 5432, true},
        {"db.example.com.", 5432, true},
        {"db.example.com", 0, true},
        {"db.example.com", 5433, false},
        {"xdb.example.com", 5432, false},
        {"db.example.com.evil.org", 5432, false},
        {"example.com", 5432, false},
        {"a.pool.example.com", 1, true},
        {"a.b.POOL.example.com", 1, true},
        {"pool.example.com", 1, false},
        {".pool.example.com", 1, false},
        {"evilpool.example.com", 1, false},
        {"*.pool.example.com", 1, true}, /* can't be resolved */
        {"10.0.0.0/8", 5432, false},
        {"192.0.2.7", 1, false}, /* an address is no name */
        {"", 5432, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect(rb_allow_name(LIST, N, rows[i].name, rows[i].port), rows[i].allowed, rows[i].name,
               rows[i].port);
    }
}

static void addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int port;
        bool allowed;
        bool allowed_by_name;
    } rows[] = {
        {"192.0.2.7", 1, true, true},
        {"::ffff:192.0.2.7", 1, true, true},
        {"192.0.2.8", 1, false, true},
        {"10.0.0.0", 5432, true, true},
        {"10.255.255.255", 5432, true, true},
        {"::ffff:10.1.2.3", 5432, true, true},
        {"10.1.2.3", 5433, false, true},
        {"11.0.0.0", 5432, false, true},
        {"2001:db8::1", 1, true, true},
        {"2001:db8:7fff::1", 1, true, true},
        {"2001:db8:8000::1", 1, false, true},
        {"2001:db9::1", 1, true, true},
        {"2001:db9::2", 1, false, true},
        /* Loopback: a network's entry is one that lists it, a name's is not. */
        {"127.0.0.1", 5432, false, false},
        {"127.8.9.1", 5432, false, false},
        {"::1", 5432, false, false},
        {"::ffff:127.0.0.1", 5432, false, false},
        {"64:ff9b::127.0.0.1", 5432, false, false},
        {"127.0.0.1", 9999, true, true},
        {"8.8.8.8", 9999, true, true},
        /* Special: by an entry of its own, not by a name or a network. */
        {"169.254.169.254", 80, true, true},
        {"169.254.169.254", 81, false, false},
        {"169.254.0.1", 9999, false, false},
        {"::ffff:169.254.0.1", 9999, false, false},
        {"64:ff9b::169.254.169.254", 9999, false, false},
        {"0.0.0.0", 9999, false, false},
        {"0.0.0.1", 9999, false, false},
        {"::", 9999, false, false},
        {"fe80::1", 9999, false, false},
        {"ff02::1", 9999, false, false},
        {"224.0.0.1", 9999, false, false},
        {"255.255.255.255", 9999, false, false},
        {"fd00:ec2::254", 9999, false, false},
        {"2001:4860::1", 9999, true, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rb_net_address address;
        assert_true(rb_address_parse(rows[i].text, rows[i].port, &address));
        expect(rb_allow_address(LIST, N, &address, false), rows[i].allowed, rows[i].text,
               rows[i].port);
        expect(rb_allow_address(LIST, N, &address, true), rows[i].allowed_by_name, rows[i].text,
               rows[i].port);
    }
}

static void loopback_by_name(void **state)
{
    (void)state;
    char own[256] = "";
    assert_int_equal(gethostname(own, sizeof own - 1), 0);
    const struct {
        const char *host;
        bool allowed;
    } rows[] = {
        {"localhost", true},
        {"LocalHost.", true},
        {"db.localhost", true},
        {"*.localhost", true},
        {own, true},
        {"db.example.com", false},
        {"notlocalhost", false},
        {"*.example.com", false},
        {"localhost.example", false},
        {"xdb.example.com", false},
    };
    struct rb_net_address address;
    assert_true(rb_address_parse("127.0.0.1", 5432, &address));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct rb_net_allow list[] = {{rows[i].host, 5432}};
        expect(rb_allow_address(list, 1, &address, true), rows[i].allowed, rows[i].host, 5432);
        const struct rb_net_allow other[] = {{"db.example.com", 5432}, {rows[i].host, 5433}};
        expect(rb_allow_address(other, 2, &address, true), false, rows[i].host, 5433);
    }
}

static void old_spellings_are_no_addresses(void **state)
{
    (void)state;
    static const char *const texts[] = {"127.1",     "0x7f.0.0.1", "2130706433", "fe80::1%eth0",
                                        "1.2.3.4.5", "",           "[127.0.0.1", "::1]"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct rb_net_address address;
        assert_false(rb_address_parse(texts[i], 1, &address));
    }
}

static void paths(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int port;
        bool allowed;
    } rows[] = {
        {"/var/run/postgresql/.s.PGSQL.5432", 5432, true},
        {"/var/run/postgresql/.s.PGSQL.5432", 5433, false},
        {"/var/run/postgresql/other.sock", 5432, false},
        {"/var/run/postgresql/x/.s.PGSQL.5432", 5432, false},
        {"/var/run/postgresql/../secret/.s.PGSQL.5432", 5432, false},
        {"/var/run/postgresql/./.s.PGSQL.5432", 5432, false},
        {"/var/run/postgresqlx/.s.PGSQL.5432", 5432, false},
        {"/srv/app.sock", 5432, true},
        {"/srv/app.sock2", 5432, false},
        {"/srv/one/.s.PGSQL.5433", 5433, true},
        {"/srv/one/.s.PGSQL.5432", 5432, false},
        {"/.s.PGSQL.5432", 5432, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect(rb_allow_unix(LIST, N, rows[i].path, rows[i].port), rows[i].allowed, rows[i].path,
               rows[i].port);
    }
}

static void entries_are_checked(void **state)
{
    (void)state;
    static const struct rb_net_allow wrong[] = {
        {"", 0},          {NULL, 0},          {"10.0.0.0/33", 0},
        {"10.0.0.0/", 0}, {"10.0.0.0/8x", 0}, {"db.example/8", 0},
        {"*", 0},         {"*.", 0},          {"a.*.b", 0},
        {"a b", 0},       {"a", -1},          {"a", 65536},
    };
    assert_int_equal(rb_allow_validate(LIST, N, NULL), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct rb_error err = {0};
        assert_int_equal(rb_allow_validate(&wrong[i], 1, &err), RB_ECONFIG);
        assert_string_equal(err.code, "NET_ALLOW_INVALID");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(addresses),
        cmocka_unit_test(loopback_by_name),
        cmocka_unit_test(old_spellings_are_no_addresses),
        cmocka_unit_test(paths),
        cmocka_unit_test(entries_are_checked),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

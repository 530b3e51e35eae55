/* host/config/url.c beside libpq's own parser, where libpq is installed. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/config/doc.h"
#include "host/config/url.h"

/* libpq-fe.h's; tests need no headers of libpq. */
struct conninfo_option {
    char *keyword, *envvar, *compiled, *val, *label, *dispchar;
    int dispsize;
};

static struct conninfo_option *(*conninfo_parse)(const char *text, char **ret_message);
static void (*conninfo_free)(struct conninfo_option *options);

/* Whatever both read, they read alike. */
static const char *const urls[] = {
    "postgresql://",
    "postgresql://localhost",
    "postgresql://localhost:5433",
    "postgresql://localhost/mydb",
    "postgresql://user@localhost",
    "postgresql://user:secret@localhost",
    "postgresql://other@localhost/otherdb?connect_timeout=10&application_name=myapp",
    "postgres://u:p@h:99/d?sslmode=verify-full&sslrootcert=/ca.pem",
    "postgresql:///mydb?host=localhost&port=5433",
    "postgresql://[2001:db8::1234]/database",
    "postgresql://[::1]:5433/d",
    "postgresql:///dbname?host=/var/lib/postgresql",
    "postgresql://%2Fvar%2Flib%2Fpostgresql/dbname",
    "postgresql://us%40er:p%3Aw%2Fx%25@h/d%2Fb",
    "postgresql://u:p%20w@h/d%3Fx",
    "postgresql://u:@h/d",
    "postgresql://@h/d",
    "postgresql://:p@h/d",
    "postgresql://h:/d",
    "postgresql://h/",
    "postgresql://h/?user=u",
    "postgresql://h?user=u&password=p%26w&dbname=d",
    "postgresql://h/d?application_name=a%3Db",
    "postgresql://h/d?application_name=",
    "postgresql://h/d?options=-c%20geqo%3Doff",
    "postgresql://u:a:b@h/d",
    "postgresql://u@h/d?service=s&sslcrl=/crl&channel_binding=require",
    "postgresql://h/d?user=a+b",
};

/* Neither takes them. */
static const char *const bad_urls[] = {
    "postgresql:/h/d",          "mysql://h/d",           "postgresql://[::1/d",
    "postgresql://u:%zz@h/d",   "postgresql://u:%0@h/d", "postgresql://u:%00@h/d",
    "postgresql://h/d?sslmode", "postgresql://h/d?=x",   "postgresql://[::1]x/d",
};

struct url_doc {
    struct rb_diags diags;
    struct rb_doc doc;
};

static bool parse(struct url_doc *d, const char *text, struct rb_url *ret)
{
    const struct rb_yaml node = {.kind = RB_YAML_SCALAR, .line = 1, .column = 1, .text = text};
    rb_diags_init(&d->diags);
    d->doc = (struct rb_doc){
        .arena = rb_arena_new(), .diags = &d->diags, .path = "p.yaml", .folder = "/"};
    assert_non_null(d->doc.arena);
    return rb_url_parse(&d->doc, &node, ret);
}

static void release(struct url_doc *d)
{
    rb_arena_free(d->doc.arena);
    rb_diags_release(&d->diags);
}

static void compare(const char *text)
{
    struct url_doc d;
    struct rb_url url = {.n_parts = 0};
    char *message = NULL;
    struct conninfo_option *options = conninfo_parse(text, &message);
    if (options == NULL) {
        fail_msg("%s: libpq: %s", text, message);
    }
    if (!parse(&d, text, &url)) {
        fail_msg("%s: %s", text, d.diags.items[0].message);
    }
    size_t n = 0;
    for (struct conninfo_option *o = options; o->keyword != NULL; o++) {
        const char *name = strcmp(o->keyword, "dbname") == 0 ? "database" : o->keyword;
        const char *ours = rb_url_get(&url, name), *theirs = o->val == NULL ? "" : o->val;
        if (strcmp(ours == NULL ? "" : ours, theirs) != 0) {
            fail_msg("%s: %s: '%s', but '%s' for libpq", text, name, ours == NULL ? "" : ours,
                     theirs);
        }
        n += theirs[0] != '\0' ? 1 : 0;
    }
    assert_int_equal(n, url.n_parts);
    release(&d);
    conninfo_free(options);
}

static void test_as_libpq_reads_them(void **ctx)
{
    (void)ctx;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        compare(urls[i]);
    }
}

static void test_as_libpq_refuses_them(void **ctx)
{
    (void)ctx;
    for (size_t i = 0; i < sizeof bad_urls / sizeof bad_urls[0]; i++) {
        struct url_doc d;
        struct rb_url url;
        char *message = NULL;
        struct conninfo_option *options = conninfo_parse(bad_urls[i], &message);
        bool good = parse(&d, bad_urls[i], &url);
        /* What is no URL for libpq is a keyword=value string, which these aren't either. */
        if (options != NULL || good) {
            fail_msg("%s: %s", bad_urls[i], good ? "accepted" : "libpq takes it");
        }
        free(message);
        release(&d);
    }
}

static int load_libpq(void **ctx)
{
    void *libpq = dlopen("libpq.so.5", RTLD_NOW);
    (void)ctx;
    if (libpq == NULL) {
        return -1;
    }
    /* As dlsym's manual has it: ISO C knows no such conversion. */
    *(void **)&conninfo_parse = dlsym(libpq, "PQconninfoParse");
    *(void **)&conninfo_free = dlsym(libpq, "PQconninfoFree");
    return conninfo_parse == NULL || conninfo_free == NULL ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_libpq_reads_them),
        cmocka_unit_test(test_as_libpq_refuses_them),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    if (load_libpq(NULL) != 0) {
        puts("1..0 # SKIP libpq is not installed");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

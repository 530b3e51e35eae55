/* host/config: a connector's configuration, secrets and grants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/config_fixture.h"

/* The source's section begins in line 3, its config in line 5. */
#define HEAD "version: \"1.0\"\npipeline: p\nsource:\n  use: source-demo\n  config:"
#define TAIL "\n  streams: [a]\ndestination: { use: dest-demo }\n"
#define BASE "host: db, user: u, database: d"

static const struct rb_pipeline *load(void **ctx, const char *config, const char *rest)
{
    char text[4096];
    (void)snprintf(text, sizeof text, "%s %s\n%s%s", HEAD, config, rest, TAIL);
    return rb_config_fixture_good(*ctx, text);
}

static void refuse(void **ctx, const char *config, const char *rest, const char *expected)
{
    char text[4096];
    (void)snprintf(text, sizeof text, "%s %s\n%s%s", HEAD, config, rest, TAIL);
    rb_config_fixture_bad(*ctx, RB_ECONFIG, text, expected);
}

static void expect_json(void **ctx, const char *config, const char *expected)
{
    assert_string_equal(load(ctx, config, "")->source.config_json, expected);
}

#define END ",\"schema\":\"public\",\"mode\":\"copy\",\"tls_mode\":\"prefer\"}"
#define START "{\"host\":\"db\",\"port\":5432,\"user\":\"u\""

static void test_values_by_type(void **ctx)
{
    expect_json(ctx, "{ " BASE " }", START ",\"database\":\"d\"" END);
    expect_json(ctx, "{ host: db, user: 007, database: \"5\", port: 6000, schema: null }",
                "{\"host\":\"db\",\"port\":6000,\"user\":\"007\",\"database\":\"5\"" END);
    expect_json(ctx,
                "{ " BASE ", mode: insert, fast: true, ratio: 0.5, tags: [a, 1], session: { x: 1, "
                "y: on }, pool: { size: 3 } }",
                START ",\"database\":\"d\",\"schema\":\"public\",\"mode\":\"insert\",\"fast\":true,"
                      "\"ratio\":0.5,\"tags\":[\"a\",\"1\"],"
                      "\"session\":{\"x\":\"1\",\"y\":\"on\"},"
                      "\"pool\":{\"size\":3,\"name\":\"main\"},\"tls_mode\":\"prefer\"}");
}

static void test_wrong_values(void **ctx)
{
    refuse(ctx, "{ " BASE ", port: \"6000\", fast: yes, ratio: x, tags: a, session: [], pool: 5 }",
           "",
           "5:51: port: an integer is expected, not '6000'\n"
           "5:65: fast: true or false is expected, not 'yes'\n"
           "5:77: ratio: a number is expected, not 'x'\n"
           "5:86: tags: a list is expected, not 'a'\n"
           "5:98: session: a mapping is expected, not a list\n"
           "5:108: pool: a mapping is expected, not '5'\n");
    refuse(ctx, "{ " BASE ", port: 0, ratio: 1.5, mode: cpoy, pool: { nmae: x } }", "",
           "5:51: port: at least 1 is needed, not '0'\n"
           "5:61: ratio: at most 1 is possible, not '1.5'\n"
           "5:72: mode: 'cpoy' is none of copy, insert [did you mean 'copy'?]\n"
           "5:84: key 'size' is missing in pool\n"
           "5:86: unknown key 'nmae' in pool [did you mean 'name'?]\n");
    refuse(ctx, "{ " BASE ", port: 70000, host: x }", "",
           "5:51: port: at most 65535 is possible, not '70000'\n"
           "5:58: key 'host' stands twice, first in line 5\n");
    refuse(ctx, "[a]", "", "5:11: config: a mapping (key: value) is expected, not a list\n");
    refuse(ctx, "", "",
           "5:9: key 'host' is missing in config [it may also come from the variable "
           "RB_TEST_HOST]\n"
           "5:9: key 'user' is missing in config [who connects]\n"
           "5:9: key 'database' is missing in config\n");
}

static void test_secrets_never_reach_the_guest(void **ctx)
{
    const struct rb_pipeline *p =
        load(ctx, "{ " BASE ", password: hunter2, pool: { size: 1, key: \"12\" } }", "");
    assert_int_equal(p->source.spec.n_secrets, 2);
    assert_string_equal(p->source.spec.secrets[0], "hunter2");
    assert_string_equal(p->source.spec.secrets[1], "12");
    assert_null(strstr(p->source.config_json, "hunter2"));
    assert_non_null(strstr(p->source.config_json, "\"password\":{\"$secret\":1}"));
    assert_non_null(strstr(p->source.config_json, "\"key\":{\"$secret\":2}"));
    p = load(ctx, "{ " BASE ", password: hunter2 }", "  permissions: { secrets: plaintext }\n");
    assert_int_equal(p->source.spec.n_secrets, 0);
    assert_non_null(strstr(p->source.config_json, "\"password\":\"hunter2\""));
}

static void test_folders(void **ctx)
{
    const struct rb_config_fixture *f = *ctx;
    char folder[128];
    snprintf(folder, sizeof folder, "%s/given", f->folder);
    (void)mkdir(folder, 0700);
    const struct rb_connector_spec *spec = &load(ctx, "{ " BASE " }", "")->source.spec;
    assert_int_equal(spec->n_preopens, 0);
    spec = &load(ctx, "{ " BASE " }", "  permissions: { folders: { /in: given } }\n")->source.spec;
    assert_int_equal(spec->n_preopens, 1);
    assert_string_equal(spec->preopens[0].guest_path, "/in");
    assert_string_equal(spec->preopens[0].host_path, folder);
    assert_false(spec->preopens[0].writable);
    spec = &load(ctx, "{ " BASE " }",
                 "  permissions: { folders: { /data: { path: given, write: true } } }\n")
                ->source.spec;
    assert_true(spec->preopens[0].writable);
    refuse(ctx, "{ " BASE " }",
           "  permissions: { folders: { /in: { path: given, write: true }, /etc: /etc } }\n",
           "6:34: folders: the manifest of 'source-demo' asks for /in to read alone\n"
           "6:64: folders: the manifest of 'source-demo' does not ask for the folder /etc\n");
    refuse(ctx, "{ " BASE " }", "  permissions: { folders: { /in: none, /data: p.yaml } }\n",
           "6:34: folders: @/none is not a folder\n6:47: folders: @/p.yaml is not a folder\n");
    /* The document, or the connector that a manifest was made for, would be the next run's. */
    refuse(ctx, "{ " BASE " }", "  permissions: { folders: { /data: { path: ., write: true } } }\n",
           "6:36: folders: @/. holds this document or the connector [name a folder of its own]\n");
    (void)rmdir(folder);
}

/* The manifest's limit is in what the worker is told, which takes the smaller one. */
static void test_memory_of_the_manifest(void **ctx)
{
    const struct rb_pipeline *p = load(ctx, "{ " BASE " }", "");
    assert_int_equal(p->source.spec.memory_max_bytes, 0);
    assert_int_equal(p->destination.spec.memory_max_bytes, 64 * 1024 * 1024);
}

static void test_secrets_never_reach_a_message(void **ctx)
{
    (void)setenv("RB_TEST_SECRET", "hunter2", 1);
    refuse(ctx, "{ " BASE ", password: [hunter2], port: \"${RB_TEST_SECRET}\" }", "",
           "5:55: password: a text is expected, not a list\n"
           "5:72: port: an integer is expected, not the given value\n");
    refuse(ctx, "{ " BASE ", url: \"postgres://u:hunter2@a,b/d\" }", "",
           "5:50: url: several hosts are not supported: name one "
           "[postgresql://user:password@host:port/database?sslmode=require]\n");
    refuse(ctx, "{ " BASE ", mode: \"${RB_TEST_SECRET}\" }", "",
           "5:51: mode: the given value is none of copy, insert\n");
    rb_config_fixture_bad(*ctx, RB_ECONNECTOR,
                          "version: \"1.0\"\npipeline: p\nsource:\n  use: x${RB_TEST_SECRET}" TAIL,
                          "4:8: the given value does not name a connector that can be used\n");
    (void)unsetenv("RB_TEST_SECRET");
}

static void test_environment_fills_in(void **ctx)
{
    (void)setenv("RB_TEST_HOST", "env-host", 1);
    (void)setenv("RB_TEST_PASSWORD", "env-pw", 1);
    const struct rb_pipeline *p = load(ctx, "{ user: u, database: d }", "");
    assert_non_null(strstr(p->source.config_json, "\"host\":\"env-host\""));
    assert_string_equal(p->source.spec.secrets[0], "env-pw");
    assert_string_equal(p->source.spec.allow[0].host, "env-host");
    /* The document wins. */
    p = load(ctx, "{ " BASE ", password: doc-pw }", "");
    assert_non_null(strstr(p->source.config_json, "\"host\":\"db\""));
    assert_string_equal(p->source.spec.secrets[0], "doc-pw");
    (void)unsetenv("RB_TEST_HOST");
    (void)unsetenv("RB_TEST_PASSWORD");
}

static void test_url(void **ctx)
{
    const struct rb_pipeline *p =
        load(ctx,
             "{ url: \"postgresql://us%40er:p%3Aw:x@h:99/d%2Fb?sslmode=verify-full&"
             "application_name=my%20app&fast=true\" }",
             "");
    assert_string_equal(
        p->source.config_json,
        "{\"host\":\"h\",\"port\":99,\"user\":\"us@er\",\"password\":{\"$secret\":1},"
        "\"database\":\"d/b\",\"schema\":\"public\",\"application_name\":\"my app\","
        "\"mode\":\"copy\",\"fast\":true,\"tls_mode\":\"verify-full\"}");
    assert_string_equal(p->source.spec.secrets[0], "p:w:x");
    assert_int_equal(p->source.spec.tls_mode, 5);
    assert_string_equal(p->source.spec.allow[0].host, "h");
    assert_int_equal(p->source.spec.allow[0].port, 99);
    p = load(ctx, "{ url: \"postgres://u@[::1]/d\", host: \"::1\", schema: s }", "");
    assert_string_equal(p->source.spec.allow[0].host, "::1");
    assert_int_equal(p->source.spec.allow[0].port, 5432);
    p = load(ctx, "{ url: \"postgresql:///d?host=/run/pg&user=u\" }", "");
    assert_string_equal(p->source.spec.allow[0].host, "/run/pg");
}

static void test_bad_urls(void **ctx)
{
#define URL_HINT " [postgresql://user:password@host:port/database?sslmode=require]\n"
    static const struct {
        const char *url, *what;
    } cases[] = {
        {"mysql://h/d", "it does not begin with postgresql://"},
        {"postgresql://u:p%4@h/d", "a % in it is not followed by two hexadecimal digits"},
        {"postgresql://u:p%00@h/d", "a % in it is not followed by two hexadecimal digits"},
        {"postgresql://u@h:9x/d", "its port is not a number (in a password, write %40 for @, %2F "
                                  "for /, %3A for :)"},
        {"postgresql://u@[::1/d", "the IPv6 address in it is not closed by ]"},
        {"postgresql://u@h1:1,h2:2/d", "several hosts are not supported: name one"},
        {"postgresql://u@h/d?sslmode", "an option of its query has no value"},
        {"postgresql://u@h/d?=x", "an option of its query has no name"},
        {"postgresql://u@h/d?user=v", "it says the same thing twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char config[256], expected[256];
        (void)snprintf(config, sizeof config, "{ " BASE ", url: \"%s\" }", cases[i].url);
        (void)snprintf(expected, sizeof expected, "5:50: url: %s" URL_HINT, cases[i].what);
        refuse(ctx, config, "", expected);
    }
    refuse(ctx, "{ url: \"postgresql://u:p@h/d\", host: other, password: q }", "",
           "5:48: host: the connection URL says another [say it once]\n"
           "5:65: password: the connection URL says another [say it once]\n");
    refuse(ctx, "{ url: \"postgresql://u@h/d?gssencmode=disable\" }", "",
           "5:11: the connection URL's option 'gssencmode' is not supported\n");
}

static void test_password_file(void **ctx)
{
    struct rb_config_fixture *f = *ctx;
    char path[128];
    static const char text[] = "# comment\nother:5432:d:u:wrong\ndb:5432:e:u:wrong\n"
                               "db:*:d:u:p\\:w\\\\\n*:*:*:*:last\n";
    rb_config_fixture_write(f, ".pgpass", text, sizeof text - 1);
    (void)snprintf(path, sizeof path, "%s/.pgpass", f->folder);
    assert_int_equal(chmod(path, 0644), 0);
    refuse(ctx, "{ " BASE " }", "",
           "5:11: the password file @/.pgpass may be read by others [chmod 600 @/.pgpass]\n");
    assert_int_equal(chmod(path, 0600), 0);
    assert_string_equal(load(ctx, "{ " BASE " }", "")->source.spec.secrets[0], "p:w\\");
    assert_string_equal(load(ctx, "{ url: \"postgres://x@y:7/z\" }", "")->source.spec.secrets[0],
                        "last");
    assert_string_equal(load(ctx, "{ " BASE ", password: own }", "")->source.spec.secrets[0],
                        "own");
    (void)setenv("PGPASSFILE", "/nonexistent", 1);
    assert_int_equal(load(ctx, "{ " BASE " }", "")->source.spec.n_secrets, 0);
    (void)unsetenv("PGPASSFILE");
}

static void test_hosts(void **ctx)
{
    const struct rb_connector_spec *s = &load(ctx, "{ " BASE " }", "")->source.spec;
    assert_int_equal(s->n_allow, 1);
    assert_string_equal(s->allow[0].host, "db");
    assert_int_equal(s->allow[0].port, 5432);
    static const struct {
        const char *host, *hosts;
        bool allowed;
    } cases[] = {
        {"db", "[db]", true},
        {"db", "[\"db:5432\"]", true},
        {"db", "[\"db:5433\"]", false},
        {"db", "[other, DB]", true},
        {"db.example.com", "[\"*.example.com\"]", true},
        {"example.com", "[\"*.example.com\"]", false},
        {"10.1.2.3", "[10.0.0.0/8]", true},
        {"10.1.2.3", "[\"10.1.2.3:5432\"]", true},
        {"11.1.2.3", "[10.0.0.0/8]", false},
        {"10.1.2.3", "[10.1.2.3/32]", true},
        {"\"fd00::1\"", "[\"fd00::/8\"]", true},
        {"\"fe00::1\"", "[\"fd00::/8\"]", false},
        {"\"fd00::1\"", "[\"[fd00::1]:5432\"]", true},
        {"db", "[]", false},
        {"db", "[0.0.0.0/0]", false}, /* names are judged by name here */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char config[128], rest[128];
        (void)snprintf(config, sizeof config, "{ host: %s, user: u, database: d }", cases[i].host);
        (void)snprintf(rest, sizeof rest, "  permissions: { hosts: %s }\n", cases[i].hosts);
        if (cases[i].allowed) {
            assert_int_equal(load(ctx, config, rest)->source.spec.n_allow, 1);
        } else {
            char expected[256];
            (void)snprintf(expected, sizeof expected,
                           "5:%d: host: permissions.hosts does not let this host in [add it there, "
                           "or take permissions.hosts away]\n",
                           19);
            refuse(ctx, config, rest, expected);
        }
    }
    refuse(ctx, "{ " BASE " }", "  permissions: { hosts: [\"db:x\", db], host: 1, secrets: yes }\n",
           "6:25: hosts: 'db:x' is not a host [name, *.name, address, CIDR or folder, each with "
           ":port or without]\n"
           "6:39: unknown key 'host' in permissions [did you mean 'hosts'?]\n"
           "6:57: secrets: 'yes' is none of plaintext\n");
}

static void test_manifest_domains(void **ctx)
{
    static const char text[] =
        "version: \"1.0\"\npipeline: p\nsource: { use: source-demo, streams: [a],\n"
        "  config: { host: db, user: u, database: d } }\ndestination:\n  use: dest-demo\n";
    char doc[512];
    (void)snprintf(doc, sizeof doc, "%s  config: { host: a.example.com }\n", text);
    const struct rb_connector_spec *s = &rb_config_fixture_good(*ctx, doc)->destination.spec;
    assert_int_equal(s->n_allow, 2);
    assert_string_equal(s->allow[0].host, "*.example.com");
    assert_int_equal(s->allow[0].port, 5432);
    assert_string_equal(s->allow[1].host, "10.0.0.0/8");
    (void)snprintf(doc, sizeof doc, "%s  permissions: { hosts: [10.0.0.0/24, evil.org] }\n", text);
    s = &rb_config_fixture_good(*ctx, doc)->destination.spec;
    assert_int_equal(s->n_allow, 1);
    assert_string_equal(s->allow[0].host, "10.0.0.0/24");
    (void)snprintf(doc, sizeof doc, "%s  config: { host: evil.org }\n", text);
    rb_config_fixture_bad(*ctx, RB_ECONFIG, doc,
                          "7:19: host: the manifest of 'dest-demo' does not let this host in\n");
}

static void test_tls(void **ctx)
{
    struct rb_config_fixture *f = *ctx;
    char path[128];
    rb_config_fixture_write(f, "ca.pem", "x", 1);
    const struct rb_pipeline *p =
        load(ctx, "{ " BASE ", tls_mode: verify-ca, tls_root_cert: ./ca.pem }", "");
    (void)snprintf(path, sizeof path, "%s/ca.pem", f->folder);
    assert_int_equal(p->source.spec.tls_mode, 4);
    assert_string_equal(p->source.spec.tls_root_cert, path);
    assert_null(p->source.spec.tls_cert);
    /* dest-demo's manifest requires TLS and nothing is said: require. */
    assert_int_equal(p->destination.spec.tls_mode, 3);
    assert_false(p->destination.spec.tls_forbidden);
    p = load(ctx, "{ " BASE ", tls_cert: ca.pem, tls_key: ca.pem }", "");
    assert_int_equal(p->source.spec.tls_mode, 2);
    assert_string_equal(p->source.spec.tls_cert, path);
    assert_string_equal(p->source.spec.tls_key, path);
    refuse(ctx, "{ " BASE ", tls_mode: requier, tls_root_cert: none.pem }", "",
           "5:55: 'requier' is not a TLS mode (disable, allow, prefer, require, verify-ca, "
           "verify-full) [did you mean 'require'?]\n"
           "5:79: the file @/none.pem can't be read: No such file or directory\n");
    rb_config_fixture_bad(*ctx, RB_ECONFIG,
                          HEAD " { " BASE " }\n  streams: [a]\n"
                               "destination: { use: dest-demo, config: { tls_mode: prefer } }\n",
                          "7:52: the manifest of 'dest-demo' requires TLS [require, verify-ca or "
                          "verify-full]\n");
}

static void test_other_grants(void **ctx)
{
    (void)setenv("RB_TEST_TZ", "UTC", 1);
    const struct rb_connector_spec *s = &load(ctx, "{ " BASE " }", "")->source.spec;
    assert_false(s->wasi_sockets);
    assert_int_equal(s->n_env, 0);
    s = &load(ctx, "{ " BASE " }", "  permissions: { wasi_sockets: true, env: [RB_TEST_TZ] }\n")
             ->source.spec;
    assert_true(s->wasi_sockets);
    assert_int_equal(s->n_env, 1);
    assert_string_equal(s->env[0], "RB_TEST_TZ=UTC");
    refuse(ctx, "{ " BASE " }", "  permissions: { wasi_sockets: yes, env: [HOME] }\n",
           "4:3: env: the manifest of 'source-demo' does not ask for the variable HOME\n"
           "6:32: wasi_sockets: 'yes' is neither true nor false\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name)                                                                                    \
    cmocka_unit_test_setup_teardown(name, rb_config_fixture_set_up, rb_config_fixture_tear_down)
        T(test_values_by_type),
        T(test_wrong_values),
        T(test_secrets_never_reach_the_guest),
        T(test_folders),
        T(test_memory_of_the_manifest),
        T(test_secrets_never_reach_a_message),
        T(test_environment_fills_in),
        T(test_url),
        T(test_bad_urls),
        T(test_password_file),
        T(test_hosts),
        T(test_manifest_domains),
        T(test_tls),
        T(test_other_grants),
#undef T
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("config_connector", tests, NULL, NULL);
}

#include "tests/support/config_fixture.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const connectors[] = {"source_demo", "dest_demo", "transform_demo",
                                         "append_demo"};
enum { N_CONNECTORS = sizeof connectors / sizeof connectors[0], FILE_MAX = 65536 };

void rb_config_fixture_write(const struct rb_config_fixture *f, const char *name, const void *data,
                             size_t len)
{
    char path[192];
    (void)snprintf(path, sizeof path, "%s/%s", f->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void install(const struct rb_config_fixture *f, const char *name)
{
    static const char module[8] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    static char text[FILE_MAX];
    char path[192];
    (void)snprintf(path, sizeof path, "tests/unit/fixtures/config/%s.manifest.json", name);
    FILE *file = fopen(path, "r");
    assert_non_null(file); /* tests run from the tree's root */
    size_t len = fread(text, 1, sizeof text, file);
    (void)fclose(file);
    (void)snprintf(path, sizeof path, "connectors/%s.manifest.json", name);
    rb_config_fixture_write(f, path, text, len);
    (void)snprintf(path, sizeof path, "connectors/%s.wasm", name);
    rb_config_fixture_write(f, path, module, sizeof module);
}

int rb_config_fixture_set_up(void **ctx)
{
    char path[96];
    struct rb_config_fixture *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return -1;
    }
    *ctx = f;
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/rb-config-XXXXXX");
    if (mkdtemp(f->folder) == NULL) {
        return -1;
    }
    (void)snprintf(f->path, sizeof f->path, "%s/p.yaml", f->folder);
    (void)snprintf(path, sizeof path, "%s/connectors", f->folder);
    if (mkdir(path, 0700) != 0) {
        return -1;
    }
    for (size_t i = 0; i < N_CONNECTORS; i++) {
        install(f, connectors[i]);
    }
    rb_diags_init(&f->diags);
    (void)setenv("HOME", f->folder, 1);
    (void)unsetenv("PGPASSFILE");
    return 0;
}

static void forget(struct rb_config_fixture *f)
{
    rb_pipeline_free(f->pipeline);
    f->pipeline = NULL;
    rb_diags_release(&f->diags);
    f->err = (struct rb_error){.status = 0};
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int rb_config_fixture_tear_down(void **ctx)
{
    struct rb_config_fixture *f = *ctx;
    forget(f);
    int rc = nftw(f->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(f);
    return rc;
}

int rb_config_fixture_load(struct rb_config_fixture *f, const char *text, size_t len)
{
    char dirs[96];
    forget(f);
    rb_config_fixture_write(f, "p.yaml", text, len);
    (void)snprintf(dirs, sizeof dirs, "%s/connectors", f->folder);
    struct rb_pipeline_options options = {.connector_dirs = dirs};
    return rb_pipeline_load(f->path, &options, &f->pipeline, &f->diags, &f->err);
}

/* The folder's name differs from run to run: it becomes @. */
static void append_without_folder(const struct rb_config_fixture *f, const char *text,
                                  struct rb_buf *ret)
{
    const char *at = NULL;
    while ((at = strstr(text, f->folder)) != NULL) {
        (void)rb_buf_append(ret, text, (size_t)(at - text));
        (void)rb_buf_append_str(ret, "@");
        text = at + strlen(f->folder);
    }
    (void)rb_buf_append_str(ret, text);
}

static void mistakes(const struct rb_config_fixture *f, struct rb_buf *ret)
{
    for (size_t i = 0; i < f->diags.count; i++) {
        const struct rb_diag *d = &f->diags.items[i];
        assert_string_equal(d->path, f->path);
        (void)rb_buf_printf(ret, "%d:%d: ", d->line, d->column);
        append_without_folder(f, d->message, ret);
        if (d->hint != NULL) {
            (void)rb_buf_append_str(ret, " [");
            append_without_folder(f, d->hint, ret);
            (void)rb_buf_append_str(ret, "]");
        }
        (void)rb_buf_append_str(ret, "\n");
    }
}

const struct rb_pipeline *rb_config_fixture_good(struct rb_config_fixture *f, const char *text)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf got = RB_BUF_INIT(FILE_MAX);
    int status = rb_config_fixture_load(f, text, strlen(text));
    mistakes(f, &got);
    assert_string_equal(rb_buf_str(&got), "");
    assert_int_equal(status, 0);
    return f->pipeline;
}

void rb_config_fixture_bad(struct rb_config_fixture *f, int status, const char *text,
                           const char *expected)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf got = RB_BUF_INIT(FILE_MAX);
    assert_int_equal(rb_config_fixture_load(f, text, strlen(text)), status);
    assert_null(f->pipeline);
    mistakes(f, &got);
    assert_string_equal(rb_buf_str(&got), expected);
}

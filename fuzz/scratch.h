/* A temporary folder with the connectors of tests/unit/fixtures/config, for what reads files. */
#ifndef RB_FUZZ_SCRATCH_H
#define RB_FUZZ_SCRATCH_H

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/fuzz.h"

static char scratch_folder[64];

static inline void scratch_path(char *out, size_t cap, const char *name)
{
    (void)snprintf(out, cap, "%s/%s", scratch_folder, name);
}

static inline void scratch_write(const char *name, const void *data, size_t size)
{
    char path[192];
    scratch_path(path, sizeof path, name);
    FILE *file = fopen(path, "w");
    FUZZ_CHECK(file != NULL);
    FUZZ_CHECK(fwrite(data, 1, size, file) == size);
    FUZZ_CHECK(fclose(file) == 0);
}

static inline int scratch_remove_entry(const char *path, const struct stat *st, int type,
                                       struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline void scratch_remove(void)
{
    (void)nftw(scratch_folder, scratch_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* `name` is a fixture's; run from the tree's root. */
static inline void scratch_install(const char *name)
{
    static const char module[8] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    static char text[64 * 1024];
    char path[192];
    (void)snprintf(path, sizeof path, "tests/unit/fixtures/config/%s.manifest.json", name);
    FILE *file = fopen(path, "r");
    FUZZ_CHECK(file != NULL);
    size_t len = fread(text, 1, sizeof text, file);
    (void)fclose(file);
    (void)snprintf(path, sizeof path, "%s.manifest.json", name);
    scratch_write(path, text, len);
    (void)snprintf(path, sizeof path, "%s.wasm", name);
    scratch_write(path, module, sizeof module);
}

static inline void scratch_make(void)
{
    (void)snprintf(scratch_folder, sizeof scratch_folder, "/tmp/rb-fuzz-XXXXXX");
    FUZZ_CHECK(mkdtemp(scratch_folder) != NULL);
    FUZZ_CHECK(atexit(scratch_remove) == 0);
    scratch_install("source_demo");
    scratch_install("dest_demo");
    scratch_install("transform_demo");
}

#endif

/* What a compiler that is killed leaves in the cache: files that have no entry's name yet, but
 * those of host and process, so that the next one can tell whether somebody still writes them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/crypto/digest.h"
#include "host/guest/internal.h"

enum { HOST_BYTES = 4, HOST_NAME_MAX_BYTES = 256 };

/* "new-<host>-": the cache may be on a disk that hosts share. */
static void host_prefix(char ret[RB_GUEST_SCRATCH_NAME_MAX])
{
    char host[HOST_NAME_MAX_BYTES] = {0};
    uint8_t digest[32];
    char hex[2 * HOST_BYTES + 1];
    (void)gethostname(host, sizeof host - 1);
    rb_sha256(host, strlen(host), digest);
    rb_hex(digest, HOST_BYTES, hex);
    snprintf(ret, RB_GUEST_SCRATCH_NAME_MAX, "new-%s-", hex);
}

int rb_guest_scratch_name(char ret[RB_GUEST_SCRATCH_NAME_MAX], struct rb_error *err)
{
    uint8_t random[8];
    char suffix[2 * sizeof random + 1];
    int status = rb_random(random, sizeof random, err);
    if (status != 0) {
        return status;
    }
    rb_hex(random, sizeof random, suffix);
    host_prefix(ret);
    size_t len = strlen(ret);
    snprintf(ret + len, RB_GUEST_SCRATCH_NAME_MAX - len, "%d-%s", (int)getpid(), suffix);
    return 0;
}

/* A zombie has ended, too: field 3 of /proc/<pid>/stat (proc(5)), after the command's last ')'. */
static bool has_ended(pid_t pid)
{
    char path[64], text[512];
    if (kill(pid, 0) != 0) {
        return errno == ESRCH;
    }
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0) {
        close(fd);
    }
    text[n > 0 ? n : 0] = 0;
    const char *state = strrchr(text, ')');
    return state != NULL && (state[2] == 'Z' || state[2] == 'X');
}

/* Whether the process that the name tells of is gone. */
static bool is_left(const char *name, const char *prefix)
{
    size_t len = strlen(prefix);
    if (strncmp(name, prefix, len) != 0) {
        return false;
    }
    char *end = NULL;
    long pid = strtol(name + len, &end, 10);
    return *end == '-' && pid > 1 && pid <= INT32_MAX && has_ended((pid_t)pid);
}

void rb_guest_clean_cache(const char *aot_dir)
{
    char prefix[RB_GUEST_SCRATCH_NAME_MAX];
    host_prefix(prefix);
    DIR *dir = opendir(aot_dir);
    if (dir == NULL) {
        return;
    }
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (is_left(entry->d_name, prefix)) {
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
        }
    }
    (void)closedir(dir);
}

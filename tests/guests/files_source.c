/* A source of the files that it was granted: reads /in/hello, writes /out/made, and tries to get
 * out of both by every spelling it knows. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/guests/plain.h"
#include "tests/guests/plain_batch.h"

static void say(const char *what, const char *path, int failed)
{
    char text[256];
    int n = snprintf(text, sizeof text, "%s %s: %s", what, path,
                     failed == 0 ? "done" : strerror(failed));
    (void)rb_host_log(1, text, (uint32_t)n);
}

static void try_to_read(const char *path)
{
    char text[64] = "";
    int fd = open(path, O_RDONLY);
    int failed = fd < 0 ? errno : 0;
    if (fd >= 0 && read(fd, text, sizeof text - 1) < 0) {
        failed = errno;
    }
    if (fd >= 0) {
        close(fd);
    }
    say("read", path, failed);
}

static void try_to_write(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int failed = fd < 0 ? errno : 0;
    if (fd >= 0 && write(fd, "x", 1) != 1) {
        failed = errno;
    }
    if (fd >= 0) {
        close(fd);
    }
    say("write", path, failed);
}

static uint64_t read_all(void)
{
    try_to_read("/in/hello");
    try_to_read("/in/link");
    try_to_read("/in/absolute");
    try_to_read("/in/../secret");
    try_to_read("/in/./../in/../secret");
    try_to_read("/in//../secret");
    try_to_read("/secret");
    try_to_read("/etc/passwd");
    try_to_read("/out/../../../../../../etc/passwd");
    try_to_write("/in/hello");
    try_to_write("/out/made");
    try_to_write("/out/../escaped");
    say("rename", "/out/../escaped", rename("/out/made", "/out/../escaped") == 0 ? 0 : errno);
    say("remove", "/out/../secret", unlink("/out/../secret") == 0 ? 0 : errno);
    if (rb_host_emit_batch(plain_batch, sizeof plain_batch) != 0) {
        __builtin_trap();
    }
    return answer("{\"status\":\"ok\",\"data\":{\"records_read\":3,\"bytes_read\":1,"
                  "\"batches_emitted\":1,\"checkpoint_count\":0,\"records_skipped\":0}}");
}

PLAIN_SOURCE(return read_all();)

#include "host/config/regular.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int rb_regular_open(const char *path, const char **ret_wrong)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int failed = fd < 0 || fstat(fd, &st) != 0 ? errno : 0;
    if (failed == 0 && S_ISREG(st.st_mode)) {
        return fd;
    }
    *ret_wrong = failed != 0 ? strerror(failed) : "it is no regular file";
    if (fd >= 0) {
        (void)close(fd);
    }
    return failed != 0 ? -failed : -EINVAL;
}

int rb_regular_open_lines(struct rb_regular *file, const char *path, const char **ret_wrong)
{
    int fd = rb_regular_open(path, ret_wrong);
    if (fd < 0) {
        return fd;
    }
    file->stream = fdopen(fd, "r");
    if (file->stream == NULL) {
        *ret_wrong = strerror(ENOMEM); /* all that it can fail by */
        (void)close(fd);
        return -ENOMEM;
    }
    (void)setvbuf(file->stream, file->buffer, _IOFBF, sizeof file->buffer);
    return 0;
}

void rb_regular_close_lines(struct rb_regular *file)
{
    (void)fclose(file->stream);
    explicit_bzero(file->buffer, sizeof file->buffer);
}

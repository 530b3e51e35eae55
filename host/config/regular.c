#include "host/config/regular.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int rb_regular_open(const char *path, const char **ret_wrong)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        int failed = errno;
        *ret_wrong = strerror(failed);
        return -failed;
    }
    struct stat st;
    bool known = fstat(fd, &st) == 0;
    if (known && S_ISREG(st.st_mode)) {
        return fd;
    }
    int failed = known ? EINVAL : errno;
    *ret_wrong = known ? "it is no regular file" : strerror(failed);
    (void)close(fd);
    return -failed;
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

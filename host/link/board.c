#include "host/link/board.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int rb_board_new(struct rb_board **ret_board, int *ret_fd, struct rb_error *err)
{
    int fd = memfd_create("rapidbyte-board", MFD_CLOEXEC);
    void *memory = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, sizeof **ret_board) == 0) {
        memory = mmap(NULL, sizeof **ret_board, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    if (memory == MAP_FAILED) {
        int e = errno;
        if (fd >= 0) {
            close(fd);
        }
        return rb_error_set_errno(err, RB_EIO, "WORKER_START", e, "memory shared with the worker");
    }
    *ret_board = memory;
    *ret_fd = fd;
    return 0;
}

struct rb_board *rb_board_open(int fd)
{
    struct stat st;
    void *memory = MAP_FAILED;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
        st.st_size == (off_t)sizeof(struct rb_board)) {
        memory = mmap(NULL, sizeof(struct rb_board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    if (fd >= 0) {
        close(fd);
    }
    return memory == MAP_FAILED ? NULL : memory;
}

void rb_board_free(struct rb_board *board)
{
    if (board != NULL) {
        munmap(board, sizeof *board);
    }
}

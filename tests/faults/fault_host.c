/*
 * Fault points in supervisor, worker and compiler, which all read the same variable:
 *
 *   RAPIDBYTE_FAULT=<kind>:<point>:<occurrence>:<folder>[;…]
 *
 * Occurrences count from 1 in each process; 0 is every one. The first process that comes there
 * makes <folder>/fired.<n> (n: which of the entries; a line with its process, the time in
 * milliseconds of the monotonic clock, the point and the kind), and does
 *
 *   kill    SIGKILL to itself                   peer   SIGKILL to supervisor or worker, the other
 * one error   fails in a way that may pass        final  fails for good hang    does not go on wait
 * goes on once <folder>/go is there cut     shuts the connections down          int    SIGINT to
 * the supervisor list    (any point) a line in <folder>/reached each time: point, process, whether
 * it has a peer
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "tests/faults/fault_error.h"
#include "tests/faults/fault_host.h"

enum { ENTRIES_MAX = 4, FOLDER_MAX = 512, SUPERVISOR, WORKER, COMPILER };

#define NAME(name, place, can_fail) #name,
static const char *const names[] = {RB_FAULT_POINTS(NAME)};
#undef NAME
#define PLACE(name, place, can_fail) #place,
static const char *const places[] = {RB_FAULT_POINTS(PLACE)};
#undef PLACE

struct entry {
    char kind[8];
    int point; /* -1: any */
    unsigned occurrence;
    char folder[FOLDER_MAX];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct entry entries[ENTRIES_MAX];
static size_t n_entries;
static int process;
static atomic_int peer;
static atomic_uint counts[RB_POINT_COUNT];

static int find_point(const char *name)
{
    for (int i = 0; i < RB_POINT_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    if (strcmp(name, "*") != 0) {
        dprintf(STDERR_FILENO, "RAPIDBYTE_FAULT: there is no point %s\n", name);
        _exit(99);
    }
    return -1;
}

static void read_entry(char *text)
{
    char *rest = NULL;
    const char *kind = strtok_r(text, ":", &rest);
    const char *point = strtok_r(NULL, ":", &rest);
    const char *occurrence = strtok_r(NULL, ":", &rest);
    if (occurrence == NULL || rest == NULL || n_entries == ENTRIES_MAX) {
        dprintf(STDERR_FILENO, "RAPIDBYTE_FAULT is malformed\n");
        _exit(99);
    }
    struct entry *entry = &entries[n_entries++];
    snprintf(entry->kind, sizeof entry->kind, "%s", kind);
    snprintf(entry->folder, sizeof entry->folder, "%s", rest);
    entry->point = find_point(point);
    entry->occurrence = (unsigned)strtoul(occurrence, NULL, 10);
}

/* The second word of the command says which process this is. */
static int which_process(void)
{
    char line[256] = {0};
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, line, sizeof line - 1);
    if (fd >= 0) {
        close(fd);
    }
    const char *word = n > 0 ? line + strlen(line) + 1 : line;
    return strcmp(word, "worker") == 0    ? WORKER
           : strcmp(word, "compile") == 0 ? COMPILER
                                          : SUPERVISOR;
}

static void set_up(void)
{
    const char *given = getenv("RAPIDBYTE_FAULT");
    static char text[ENTRIES_MAX * (FOLDER_MAX + 64)];
    process = which_process();
    if (given == NULL || strlen(given) >= sizeof text) {
        return;
    }
    snprintf(text, sizeof text, "%s", given);
    char *rest = NULL;
    for (char *entry = strtok_r(text, ";", &rest); entry; entry = strtok_r(NULL, ";", &rest)) {
        read_entry(entry);
    }
}

void rb_fault_set_peer(int pid)
{
    atomic_store(&peer, pid);
}

static int peer_pid(void)
{
    return process == SUPERVISOR ? atomic_load(&peer) : getppid();
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A line into a file of the entry's folder; `flags` beside O_WRONLY | O_CREAT. */
static bool note(const struct entry *entry, const char *file, int flags, const char *line)
{
    char path[FOLDER_MAX + 32];
    snprintf(path, sizeof path, "%s/%s", entry->folder, file);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
    bool done = fd >= 0 && write(fd, line, strlen(line)) == (ssize_t)strlen(line);
    if (fd >= 0) {
        close(fd);
    }
    return done;
}

/* Source and destination are told apart by the address of the server that the tests give them. */
static bool is_of_side(int fd, const char *place)
{
    struct sockaddr_in to = {0};
    socklen_t len = sizeof to;
    if (getpeername(fd, (struct sockaddr *)&to, &len) != 0 || to.sin_family != AF_INET) {
        return false;
    }
    uint32_t last = ntohl(to.sin_addr.s_addr) & 0xff;
    return strcmp(place, "SOURCE") == 0 ? last == 1 : strcmp(place, "DEST") == 0 ? last == 2 : true;
}

/* An answer that is here already is lost, too. */
static void drop_received(int fd)
{
    char dropped[4096];
    while (recv(fd, dropped, sizeof dropped, MSG_DONTWAIT) > 0) {
    }
}

static void cut_connections(const char *place)
{
    DIR *dir = opendir("/proc/self/fd");
    for (const struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
        int fd = (int)strtol(e->d_name, NULL, 10);
        if (fd > STDERR_FILENO && is_of_side(fd, place)) {
            shutdown(fd, SHUT_RDWR);
            drop_received(fd);
        }
    }
    if (dir) {
        closedir(dir);
    }
}

static void sleep_ms(long ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static void await_go(const struct entry *entry)
{
    char path[FOLDER_MAX + 32];
    snprintf(path, sizeof path, "%s/go", entry->folder);
    while (access(path, F_OK) != 0) {
        sleep_ms(5);
    }
}

static enum rb_fault_answer act(const struct entry *entry, int point)
{
    const char *kind = entry->kind;
    if (strcmp(kind, "kill") == 0) {
        kill(getpid(), SIGKILL);
        sleep_ms(60000);
    } else if (strcmp(kind, "peer") == 0 && peer_pid() > 1) {
        kill(peer_pid(), SIGKILL);
    } else if (strcmp(kind, "hang") == 0) {
        for (;;) {
            sleep_ms(60000);
        }
    } else if (strcmp(kind, "wait") == 0) {
        await_go(entry);
    } else if (strcmp(kind, "cut") == 0) {
        cut_connections(places[point]);
    } else if (strcmp(kind, "int") == 0) {
        kill(process == SUPERVISOR ? getpid() : getppid(), SIGINT);
    }
    return strcmp(kind, "error") == 0   ? RB_FAULT_PASSING
           : strcmp(kind, "final") == 0 ? RB_FAULT_FINAL
                                        : RB_FAULT_GO_ON;
}

int rb_fault_answer_of(int point)
{
    pthread_once(&once, set_up);
    if (n_entries == 0 || point < 0 || point >= RB_POINT_COUNT) {
        return RB_FAULT_GO_ON;
    }
    unsigned count = atomic_fetch_add(&counts[point], 1) + 1;
    enum rb_fault_answer answer = RB_FAULT_GO_ON;
    for (size_t i = 0; i < n_entries; i++) {
        const struct entry *entry = &entries[i];
        char line[160], file[16];
        if (entry->point < 0) {
            snprintf(line, sizeof line, "%s %d %d\n", names[point], getpid(), peer_pid() > 1);
            note(entry, "reached", O_APPEND, line);
            continue;
        }
        if (entry->point != point || (entry->occurrence != 0 && entry->occurrence != count)) {
            continue;
        }
        snprintf(line, sizeof line, "%d %lld %.48s %.7s\n", getpid(), (long long)now_ms(),
                 names[point], entry->kind);
        snprintf(file, sizeof file, "fired.%zu", i);
        if (note(entry, file, entry->occurrence != 0 ? O_EXCL : O_APPEND, line)) {
            answer = act(entry, point);
        }
    }
    return answer;
}

int rb_fault_reach(enum rb_fault_point point, struct rb_error *err)
{
    return rb_fault_fail((enum rb_fault_answer)rb_fault_answer_of((int)point), err);
}

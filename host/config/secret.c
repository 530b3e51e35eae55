#include "host/config/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "host/config/doc.h"
#include "host/config/fields.h"
#include "host/config/regular.h"
#include "base/suggest.h"

enum { ARGUMENTS_MAX = 256, POLL_MS = 50 };

struct form {
    const char *file;
    const struct rb_yaml *command;
    int64_t timeout_ms;
};

struct child {
    pid_t pid;
    int fd; /* its standard output */
    int64_t deadline_ms;
};

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Without the line break at its end, in the arena; NULL, reported, when it can't be a secret. */
static const char *take(struct rb_doc *doc, const struct rb_yaml *node, const char *name,
                        const char *what, struct rb_buf *bytes)
{
    size_t len = bytes->len;
    const char *text = rb_buf_str(bytes);
    len -= len > 0 && text[len - 1] == '\n' ? 1 : 0;
    len -= len > 0 && len < bytes->len && text[len - 1] == '\r' ? 1 : 0;
    if (len == 0 || memchr(text, '\0', len) != NULL) {
        rb_doc_mistake(doc, node, NULL, "%s: %s %s", name, what,
                       len == 0 ? "is empty" : "has a zero byte in it");
        return NULL;
    }
    return rb_arena_strndup(doc->arena, text, len);
}

static const char *read_file(struct rb_doc *doc, const struct rb_yaml *node, const char *name,
                             const char *path, const char *what)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf bytes = RB_BUF_INIT(RB_SECRET_BYTES_MAX + 1);
    bytes.is_secret = true;
    const char *wrong = NULL;
    int fd = rb_regular_open(path, &wrong);
    ssize_t n = -1;
    if (fd >= 0 && rb_buf_reserve(&bytes, RB_SECRET_BYTES_MAX + 1) == 0) {
        while ((n = read(fd, bytes.data + bytes.len, RB_SECRET_BYTES_MAX + 1 - bytes.len)) > 0) {
            bytes.len += (size_t)n;
        }
        bytes.data[bytes.len] = 0;
    }
    wrong = n >= 0 || wrong != NULL ? wrong : strerror(errno);
    if (fd >= 0) {
        (void)close(fd);
    }
    if (n < 0) {
        rb_doc_mistake(doc, node, NULL, "%s: %s can't be read: %s", name, what, wrong);
        return NULL;
    }
    if (bytes.len > RB_SECRET_BYTES_MAX) {
        rb_doc_mistake(doc, node, NULL, "%s: %s has more than %d bytes", name, what,
                       (int)RB_SECRET_BYTES_MAX);
        return NULL;
    }
    return take(doc, node, name, what, &bytes);
}

/* NULL-ended; NULL, reported, when it is not a list of texts. */
static char **arguments(struct rb_doc *doc, const struct rb_yaml *command, const char *name)
{
    size_t n = 0;
    bool fits = command->kind == RB_YAML_SEQUENCE && command->n_children > 0 &&
                command->n_children <= ARGUMENTS_MAX;
    char **argv = rb_arena_alloc(doc->arena, fits ? command->n_children + 1 : 1, sizeof(char *));
    for (const struct rb_yaml *c = command->child; fits && argv != NULL && c != NULL; c = c->next) {
        fits = c->kind == RB_YAML_SCALAR && (n > 0 || c->text[0] != '\0');
        const char *text = fits ? c->text : "";
        /* posix_spawn wants what it does not write to as char *. */
        argv[n] = rb_arena_alloc(doc->arena, strlen(text) + 1, 1);
        if (argv[n] == NULL) {
            return NULL;
        }
        memcpy(argv[n++], text, strlen(text) + 1);
    }
    if (!fits) {
        rb_doc_mistake(doc, command, "[program, argument, ...]: no shell reads it",
                       "%s: a command is a list of at most %d texts", name, (int)ARGUMENTS_MAX);
        return NULL;
    }
    return argv;
}

/* 0 or an errno. A group of its own, so that all of it can be ended; nothing of ours is open in it
 * but standard error. */
static int start(const char *folder, char *const argv[], struct child *ret)
{
    int fds[2];
    sigset_t none, usual;
    posix_spawnattr_t attr;
    posix_spawn_file_actions_t actions;
    if (pipe2(fds, O_CLOEXEC) != 0) {
        return errno;
    }
    (void)sigemptyset(&none);
    (void)sigemptyset(&usual);
    (void)sigaddset(&usual, SIGPIPE);
    (void)posix_spawnattr_init(&attr);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETSIGDEF);
    (void)posix_spawnattr_setsigmask(&attr, &none);
    (void)posix_spawnattr_setsigdefault(&attr, &usual);
    int failed = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    failed |= posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
    failed |= posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    failed |= posix_spawn_file_actions_addchdir_np(&actions, folder);
    failed = failed != 0 ? ENOMEM /* all that they can fail by */
                         : posix_spawnp(&ret->pid, argv[0], &actions, &attr, argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attr);
    (void)close(fds[1]);
    if (failed != 0) {
        (void)close(fds[0]);
        return failed;
    }
    ret->fd = fds[0];
    return 0;
}

static bool interrupted(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1 ||
            sigismember(&pending, SIGHUP) == 1);
}

/* Why it must end before it does by itself; NULL: it may go on. */
static const char *overdue(struct rb_doc *doc, const struct child *child, int64_t timeout_ms)
{
    if (interrupted()) {
        doc->cancelled = true;
        return "was interrupted";
    }
    return now_ms() < child->deadline_ms
               ? NULL
               : rb_arena_printf(doc->arena, "did not end within %lld ms", (long long)timeout_ms);
}

/* Reads to the end of its output; NULL, or what is wrong. */
static const char *receive(struct rb_doc *doc, const struct child *child, int64_t timeout_ms,
                           struct rb_buf *bytes)
{
    for (;;) {
        struct pollfd wait = {.fd = child->fd, .events = POLLIN};
        const char *wrong = overdue(doc, child, timeout_ms);
        if (wrong != NULL) {
            return wrong;
        }
        if (poll(&wait, 1, POLL_MS) <= 0) {
            continue;
        }
        if (rb_buf_reserve(bytes, RB_SECRET_BYTES_MAX + 1 - bytes->len) != 0) {
            return "can't be read: out of memory";
        }
        ssize_t n = read(child->fd, bytes->data + bytes->len, RB_SECRET_BYTES_MAX + 1 - bytes->len);
        if (n == 0) {
            bytes->data[bytes->len] = 0;
            return NULL;
        }
        bytes->len += n > 0 ? (size_t)n : 0;
        if (bytes->len > RB_SECRET_BYTES_MAX) {
            return rb_arena_printf(doc->arena, "writes more than %d bytes",
                                   (int)RB_SECRET_BYTES_MAX);
        }
    }
}

/* It has closed its output: waits for its end as well, without reaping it, so that its process
 * group keeps its number. NULL, or what is wrong. */
static const char *await_end(struct rb_doc *doc, const struct child *child, int64_t timeout_ms)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    for (;;) {
        siginfo_t info = {.si_pid = 0};
        if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
            info.si_pid == child->pid) {
            return NULL;
        }
        const char *wrong = overdue(doc, child, timeout_ms);
        if (wrong != NULL) {
            return wrong;
        }
        (void)nanosleep(&pause, NULL);
    }
}

/* Ends the whole group, also what it left in the background; how it ended itself, if it had. */
static int end(const struct child *child)
{
    int how = 0;
    (void)kill(-child->pid, SIGKILL);
    while (waitpid(child->pid, &how, 0) < 0 && errno == EINTR) {
    }
    (void)close(child->fd);
    return how;
}

static const char *failure(struct rb_doc *doc, int how)
{
    if (WIFEXITED(how) && WEXITSTATUS(how) == 0) {
        return NULL;
    }
    return WIFEXITED(how)
               ? rb_arena_printf(doc->arena, "failed with exit code %d", WEXITSTATUS(how))
               : rb_arena_printf(doc->arena, "was ended by signal %d", WTERMSIG(how));
}

static const char *run(struct rb_doc *doc, const struct rb_yaml *node, const char *name,
                       const struct form *form)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf bytes = RB_BUF_INIT(RB_SECRET_BYTES_MAX + 1);
    bytes.is_secret = true;
    struct child child = {.deadline_ms = now_ms() + form->timeout_ms};
    char **argv = arguments(doc, form->command, name);
    if (argv == NULL) {
        return NULL;
    }
    if (doc->no_commands) {
        rb_doc_mistake(doc, node, NULL, "%s: a command is not allowed here", name);
        return NULL;
    }
    const char *what = form->command->child->substituted
                           ? "the command"
                           : rb_arena_printf(doc->arena, "the command %s", argv[0]);
    int failed = start(doc->folder, argv, &child);
    if (failed != 0) {
        rb_doc_mistake(doc, node, NULL, "%s: %s can't be started: %s", name, what,
                       strerror(failed));
        return NULL;
    }
    const char *wrong = receive(doc, &child, form->timeout_ms, &bytes);
    wrong = wrong != NULL ? wrong : await_end(doc, &child, form->timeout_ms);
    int how = end(&child);
    wrong = wrong != NULL ? wrong : failure(doc, how);
    if (wrong != NULL) {
        rb_doc_mistake(doc, node, NULL, "%s: %s %s", name, what, wrong);
        return NULL;
    }
    return take(doc, node, name, rb_arena_printf(doc->arena, "the output of %s", what), &bytes);
}

/* Reported without being shown: where a secret is expected, any text may be one. */
static void check_keys(struct rb_doc *doc, const struct rb_yaml *node, const char *name,
                       const struct rb_field *fields, size_t n_fields)
{
    for (const struct rb_yaml *c = node->child; c != NULL; c = c->next) {
        struct rb_suggest suggest;
        bool known = false;
        rb_suggest_init(&suggest, c->key);
        for (size_t i = 0; i < n_fields; i++) {
            known = known || strcmp(fields[i].name, c->key) == 0;
            rb_suggest_offer(&suggest, fields[i].name);
        }
        if (!known) {
            rb_doc_mistake_key(doc, c, rb_doc_did_you_mean(doc, &suggest),
                               "%s: the key is none of file, command, timeout", name);
        }
    }
}

const char *rb_secret_read(struct rb_doc *doc, const struct rb_yaml *node, const char *name)
{
    static const struct rb_field fields[] = {
        {.name = "file", .kind = RB_FIELD_TEXT, .offset = offsetof(struct form, file)},
        {.name = "command", .kind = RB_FIELD_NODE, .offset = offsetof(struct form, command)},
        {.name = "timeout",
         .kind = RB_FIELD_MS,
         .offset = offsetof(struct form, timeout_ms),
         .min = 1,
         .max = 600000},
    };
    struct form form = {.timeout_ms = 0};
    size_t before = doc->diags->count;
    check_keys(doc, node, name, fields, sizeof fields / sizeof fields[0]);
    if (doc->diags->count == before) {
        rb_fields_read(doc, node, name, fields, sizeof fields / sizeof fields[0], &form);
    }
    if (doc->diags->count > before) {
        return NULL;
    }
    if ((form.file == NULL) == (form.command == NULL) ||
        (form.file != NULL && form.timeout_ms != 0)) {
        rb_doc_mistake(doc, node, "{ file: path } or { command: [program, argument, ...] }",
                       "%s: %s", name,
                       form.timeout_ms != 0 ? "a timeout is for a command"
                                            : "either a file or a command is expected");
        return NULL;
    }
    form.timeout_ms = form.timeout_ms == 0 ? RB_SECRET_COMMAND_MS : form.timeout_ms;
    if (form.command != NULL) {
        return run(doc, node, name, &form);
    }
    /* A variable in its place may be the secret itself. */
    const char *path = rb_doc_path(doc, form.file);
    const char *what = rb_yaml_get(node, "file")->substituted
                           ? "the file"
                           : rb_arena_printf(doc->arena, "the file %s", path);
    return read_file(doc, node, name, path, what);
}

/*
 * Runs commands as a pipeline and says what they took.
 *
 *     stopwatch REPORT COMMAND [ARGUMENT]... [::: COMMAND [ARGUMENT]...]...
 *
 * REPORT gets one JSON object: wall seconds from the first start to the last end; user and system
 * seconds of all processes, their children included; the sum of each process's peak of resident
 * memory; the number of processes; each command's exit status (128 + n for signal n). The exit code
 * is 0 when all of them are 0.
 *
 * Peaks are /proc's VmHWM, read every 10 ms from all descendants, and at a command's end at least
 * what wait4 says. Shared pages count in each process that has them.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COMMANDS_MAX = 8, PROCESSES_MAX = 256, POLL_MS = 10, FILE_MAX = 4096 };

struct process {
    pid_t pid;
    long peak_kb;
    bool gone;
};

struct watch {
    struct process processes[PROCESSES_MAX];
    size_t n_processes;
    pid_t commands[COMMANDS_MAX];
    int statuses[COMMANDS_MAX];
    size_t n_commands;
    size_t n_running; /* of the commands */
    double user, system;
    long wait_peak_kb;
};

static void die(const char *what)
{
    fprintf(stderr, "stopwatch: %s: %s\n", what, strerror(errno));
    exit(125);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* A file of /proc as text; false when the process is gone. */
static bool slurp(const char *path, char out[FILE_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t n = read(fd, out, FILE_MAX - 1);
    close(fd);
    out[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static struct process *find_process(struct watch *watch, pid_t pid)
{
    for (size_t i = 0; i < watch->n_processes; i++) {
        if (watch->processes[i].pid == pid) {
            return &watch->processes[i];
        }
    }
    if (watch->n_processes == PROCESSES_MAX) {
        return NULL;
    }
    watch->processes[watch->n_processes] = (struct process){.pid = pid};
    return &watch->processes[watch->n_processes++];
}

static void look_at(struct process *process)
{
    char path[64], text[FILE_MAX];
    snprintf(path, sizeof path, "/proc/%d/status", (int)process->pid);
    const char *line = slurp(path, text) ? strstr(text, "\nVmHWM:") : NULL;
    long kb = line != NULL ? strtol(line + 7, NULL, 10) : 0;
    if (kb > process->peak_kb) {
        process->peak_kb = kb;
    }
}

/* Also finds its children, which then get their turn: they are appended behind it. */
static void look_at_all(struct watch *watch)
{
    char path[96], text[FILE_MAX];
    for (size_t i = 0; i < watch->n_processes; i++) {
        struct process *process = &watch->processes[i];
        if (process->gone) {
            continue;
        }
        look_at(process);
        snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)process->pid,
                 (int)process->pid);
        if (!slurp(path, text)) {
            continue;
        }
        char *at = text, *end = NULL;
        for (long pid = strtol(at, &end, 10); end != at; pid = strtol(at, &end, 10)) {
            (void)find_process(watch, (pid_t)pid);
            at = end;
        }
    }
}

static void take_end(struct watch *watch, pid_t pid, int status, const struct rusage *usage)
{
    watch->user += seconds(usage->ru_utime);
    watch->system += seconds(usage->ru_stime);
    if (usage->ru_maxrss > watch->wait_peak_kb) {
        watch->wait_peak_kb = usage->ru_maxrss;
    }
    struct process *process = find_process(watch, pid);
    if (process != NULL) {
        process->gone = true;
        if (process->peak_kb == 0) {
            process->peak_kb = usage->ru_maxrss;
        }
    }
    for (size_t i = 0; i < watch->n_commands; i++) {
        if (watch->commands[i] == pid) {
            watch->statuses[i] = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            watch->n_running--;
        }
    }
}

/* True when there are no children left. */
static bool reap(struct watch *watch)
{
    for (;;) {
        int status = 0;
        struct rusage usage;
        pid_t pid = wait4(-1, &status, WNOHANG, &usage);
        if (pid == 0) {
            return false;
        }
        if (pid > 0) {
            take_end(watch, pid, status, &usage);
        } else if (errno == ECHILD) {
            return true;
        } else if (errno != EINTR) {
            die("wait4");
        }
    }
}

static pid_t start(char **argv, int in, int out, const sigset_t *mask)
{
    pid_t pid = fork();
    if (pid < 0) {
        die("fork");
    }
    if (pid > 0) {
        return pid;
    }
    if ((in >= 0 && dup2(in, STDIN_FILENO) < 0) || (out >= 0 && dup2(out, STDOUT_FILENO) < 0)) {
        _exit(126);
    }
    sigprocmask(SIG_SETMASK, mask, NULL);
    execvp(argv[0], argv);
    fprintf(stderr, "stopwatch: %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

/* Cuts argv at ":::" into commands and starts each, its output the next one's input. */
static void start_all(struct watch *watch, int argc, char **argv, const sigset_t *mask)
{
    int in = -1;
    for (int first = 0; first < argc;) {
        int end = first;
        while (end < argc && strcmp(argv[end], ":::") != 0) {
            end++;
        }
        if (end == first || watch->n_commands == COMMANDS_MAX) {
            fprintf(stderr, "stopwatch: an empty command, or too many\n");
            exit(125);
        }
        int ends[2] = {-1, -1};
        if (end < argc && pipe2(ends, O_CLOEXEC) != 0) {
            die("pipe");
        }
        argv[end] = NULL;
        pid_t pid = start(argv + first, in, ends[1], mask);
        watch->commands[watch->n_commands++] = pid;
        watch->n_running++;
        (void)find_process(watch, pid);
        if (in >= 0) {
            close(in);
        }
        if (ends[1] >= 0) {
            close(ends[1]);
        }
        in = ends[0];
        first = end + 1;
    }
}

static void report(const struct watch *watch, const char *path, double wall)
{
    long sum_kb = 0;
    for (size_t i = 0; i < watch->n_processes; i++) {
        sum_kb += watch->processes[i].peak_kb;
    }
    if (watch->wait_peak_kb > sum_kb) {
        sum_kb = watch->wait_peak_kb;
    }
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        die(path);
    }
    fprintf(file,
            "{\"wall\":%.6f,\"user\":%.6f,\"system\":%.6f,\"peak_bytes\":%lld,\"processes\":%zu,"
            "\"statuses\":[",
            wall, watch->user, watch->system, (long long)sum_kb * 1024, watch->n_processes);
    for (size_t i = 0; i < watch->n_commands; i++) {
        fprintf(file, "%s%d", i > 0 ? "," : "", watch->statuses[i]);
    }
    fprintf(file, "]}\n");
    if (fclose(file) != 0) {
        die(path);
    }
}

int main(int argc, char **argv)
{
    static struct watch watch;
    if (argc < 3) {
        fprintf(stderr, "usage: stopwatch REPORT COMMAND [ARGUMENT]... [::: COMMAND...]...\n");
        return 125;
    }
    sigset_t set, mask;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, &mask) != 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
        die("signals");
    }
    struct pollfd ended = {.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), .events = POLLIN};
    if (ended.fd < 0) {
        die("signalfd");
    }
    double began = now();
    start_all(&watch, argc - 2, argv + 2, &mask);
    double wall = 0;
    for (bool none = false; !none;) {
        (void)poll(&ended, 1, POLL_MS);
        struct signalfd_siginfo info;
        while (read(ended.fd, &info, sizeof info) > 0) {
        }
        size_t running = watch.n_running;
        none = reap(&watch);
        if (running > 0 && watch.n_running == 0) {
            wall = now() - began;
        }
        look_at_all(&watch);
    }
    report(&watch, argv[1], wall);
    int worst = 0;
    for (size_t i = 0; i < watch.n_commands; i++) {
        worst |= watch.statuses[i];
    }
    return worst == 0 ? 0 : 1;
}

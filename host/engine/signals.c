#include "host/engine/signals.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "host/engine/engine.h"

/* A handler has nothing else to go by. */
static _Atomic int64_t first_ms;
static void (*_Atomic before_exit)(void);

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void on_signal(int number)
{
    (void)number;
    if (now_ms() - atomic_load(&first_ms) < RB_SIGNALS_SAME_MS) {
        return;
    }
    void (*die)(void) = atomic_load(&before_exit);
    if (die != NULL) {
        die();
    }
    _exit(RB_EXIT_CANCELLED);
}

void rb_signals_arm(void (*die)(void))
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    const struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigaction hangup;
    sigset_t set;
    if (atomic_load(&first_ms) != 0) {
        return;
    }
    atomic_store(&before_exit, die);
    atomic_store(&first_ms, now_ms());
    sigemptyset(&set);
    bool ignored = sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler == SIG_IGN;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (numbers[i] != SIGHUP || !ignored) {
            (void)sigaction(numbers[i], &act, NULL);
            sigaddset(&set, numbers[i]);
        }
    }
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

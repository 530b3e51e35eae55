#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/json.h"
#include "host/cli/console.h"
#include "host/cli/load.h"
#include "host/cli/out.h"
#include "host/state/inspect.h"

enum { WAIT_MS = 2000, JSON_MAX = 64 * 1024 };

enum result { NOT_RUNNING, ENDED, STILL_RUNNING };

static int say(const struct rb_cli *cli, const struct rb_pipeline *pipeline, enum result result,
               int64_t pid)
{
    static const char *const words[] = {"not_running", "ended", "still_running"};
    if (cli->output == RB_OUTPUT_TEXT) {
        if (cli->quiet) {
            return RB_EXIT_OK;
        }
        if (result == NOT_RUNNING) {
            rb_out_line(RB_OUT_ANSWER, "'%s' is not being run: nothing to cancel", pipeline->name);
        } else if (result == ENDED) {
            rb_out_line(RB_OUT_ANSWER,
                        "the run of '%s' by process %lld was told to stop, and has ended",
                        pipeline->name, (long long)pid);
        }
        return RB_EXIT_OK;
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(JSON_MAX);
    struct rb_json json;
    rb_json_init(&json, &text);
    rb_json_begin_object(&json);
    rb_json_member_str(&json, "pipeline", pipeline->name);
    rb_json_member_str(&json, "result", words[result]);
    rb_json_key(&json, "pid");
    if (result == NOT_RUNNING) {
        rb_json_null(&json);
    } else {
        rb_json_i64(&json, pid);
    }
    rb_json_end_object(&json);
    return rb_answer_print(cli->answer, &json, &text) == 0 ? RB_EXIT_OK : RB_EXIT_INTERNAL;
}

static int refuse_stranger(int64_t pid, struct rb_error *err)
{
    rb_error_set(err, RB_ESTATE, "NOT_A_RUN",
                 "process %lld has not got the state file open, so that it is no run of this "
                 "pipeline: it was not told to stop",
                 (long long)pid);
    rb_error_set_hint(err, "look at it: ps -p %lld; the lock is free when that process has ended",
                      (long long)pid);
    return RB_ESTATE;
}

static int tell(struct rb_state *state, int fd, int64_t pid, enum result *ret, struct rb_error *err)
{
    bool is_run = false;
    int status = rb_state_is_open_in(state, pid, &is_run, err);
    if (status != 0 || !is_run) {
        return status != 0 ? status : refuse_stranger(pid, err);
    }
    if (pidfd_send_signal(fd, SIGTERM, NULL, 0) != 0) {
        return rb_error_set_errno(err, RB_EPERM, "CANCEL", errno,
                                  "process %lld can't be told to stop", (long long)pid);
    }
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    *ret = poll(&wait, 1, WAIT_MS) == 1 ? ENDED : STILL_RUNNING;
    return RB_OK;
}

/* Signals the holder and waits for its end. A pidfd means one process, whatever becomes of the
 * number; that it is the holder's is asked once more after it was opened. */
static int stop(struct rb_state *state, const char *pipeline, struct rb_state_holder *holder,
                enum result *ret, struct rb_error *err)
{
    int fd = pidfd_open((pid_t)holder->pid, 0);
    if (fd < 0 && errno != ESRCH) {
        return rb_error_set_errno(err, RB_EIO, "CANCEL", errno, "process %lld",
                                  (long long)holder->pid);
    }
    int64_t pid = holder->pid;
    int held = fd < 0 ? 1 : rb_state_holder_get(state, pipeline, holder, err);
    int status = held < 0 ? held : RB_OK;
    *ret = NOT_RUNNING;
    if (held == 0 && holder->pid == pid) {
        status = tell(state, fd, pid, ret, err);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return status;
}

static int cancel(const struct rb_cli *cli, const struct rb_pipeline *pipeline,
                  struct rb_state *state, struct rb_error *err)
{
    struct rb_state_holder holder;
    enum result result = NOT_RUNNING;
    int held = rb_state_holder_get(state, pipeline->name, &holder, err);
    if (held < 0) {
        return held;
    }
    if (held == 0 && !holder.is_here) {
        rb_error_set(err, RB_ELOCKED, "OTHER_HOST",
                     "'%s' is being run by process %lld on %s since %s, not on this host",
                     pipeline->name, (long long)holder.pid, holder.host, holder.taken);
        rb_error_set_hint(err, "cancel it there");
        return RB_ELOCKED;
    }
    int status = held == 0 ? stop(state, pipeline->name, &holder, &result, err) : RB_OK;
    if (status == 0) {
        status = say(cli, pipeline, result, held == 0 ? holder.pid : 0);
    }
    if (status == 0 && result == STILL_RUNNING) {
        rb_error_set(err, RB_ELOCKED, "STILL_RUNNING",
                     "process %lld was told to stop %d s ago and still runs", (long long)holder.pid,
                     WAIT_MS / 1000);
        rb_error_set_hint(err, "a second SIGTERM makes it exit at once: kill %lld",
                          (long long)holder.pid);
        return RB_ELOCKED;
    }
    return status;
}

int rb_cmd_cancel(const struct rb_cli *cli)
{
    struct rb_console console;
    rb_console_init(&console, cli);
    struct rb_pipeline *pipeline = NULL;
    struct rb_state *state = NULL;
    int code = rb_cli_load_state(cli, &console, cli->operands[0], &pipeline, &state);
    if (code != 0) {
        return code;
    }
    struct rb_error error;
    rb_error_clear(&error);
    int status = cancel(cli, pipeline, state, &error);
    if (error.status != RB_OK) {
        rb_console_error(&console, NULL, &error);
        code = error.status == RB_ESTATE || error.status == RB_ELOCKED ? RB_EXIT_STATE
                                                                       : RB_EXIT_INTERNAL;
    } else if (status != 0) {
        code = RB_EXIT_INTERNAL;
    }
    rb_state_close(state);
    rb_pipeline_free(pipeline);
    return code;
}

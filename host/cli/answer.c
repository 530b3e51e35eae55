#include "host/cli/answer.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/cli/out.h"
#include "host/engine/engine.h"

enum { MISTAKES_MAX = 1024 * 1024, JSON_MAX = 2 * MISTAKES_MAX, LAST_WORDS_MAX = 2048 };

static const int ending[] = {SIGINT, SIGTERM, SIGHUP};

static void on_signal(int signal_number)
{
    (void)signal_number;
    rb_out_die();
    _exit(RB_EXIT_CANCELLED);
}

static const char *side_of(const char *where)
{
    for (int side = RB_FAULT_ENGINE; where != NULL && side <= RB_FAULT_DESTINATION; side++) {
        const char *name = rb_fault_side_name((enum rb_fault_side)side);
        if (strcmp(name, where) == 0) {
            return name;
        }
    }
    return rb_fault_side_name(RB_FAULT_ENGINE);
}

/* What every command's document of a failure has, and the empty list that a reader looks for. */
static int write_failure(const struct rb_answer *answer, int exit_code,
                         const struct rb_error *fault, struct rb_buf *ret)
{
    struct rb_json json;
    rb_json_init(&json, ret);
    rb_json_begin_object(&json);
    rb_json_member_str(&json, "command", answer->command);
    rb_json_member_str(&json, "pipeline", answer->pipeline);
    rb_json_member_i64(&json, "exit_code", exit_code);
    if (answer->list != NULL) {
        rb_json_member_raw(&json, answer->list, "[]", 2);
    }
    rb_json_key(&json, "mistakes");
    rb_json_begin_array(&json);
    if (answer->mistakes.len > 0) {
        rb_json_raw(&json, rb_buf_str(&answer->mistakes), answer->mistakes.len);
    }
    rb_json_end_array(&json);
    rb_json_key(&json, "fault");
    rb_json_begin_object(&json);
    rb_json_member_str(&json, "side", answer->side != NULL ? answer->side : side_of(NULL));
    rb_json_member_i64(&json, "exit_code", exit_code);
    rb_json_key(&json, "error");
    rb_json_error(&json, fault);
    rb_json_end_object(&json);
    rb_json_end_object(&json);
    return rb_json_finish(&json);
}

static void prepare_last_words(const struct rb_answer *answer)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(LAST_WORDS_MAX);
    struct rb_error error;
    rb_error_clear(&error);
    rb_error_set(&error, RB_ECANCELLED, "CANCELLED", "cancelled");
    bool written = write_failure(answer, RB_EXIT_CANCELLED, &error, &text) == 0;
    rb_out_set_last(written ? &text : NULL);
}

void rb_answer_init(struct rb_answer *answer, const char *command, const char *list, bool json)
{
    *answer = (struct rb_answer){.command = command, .list = list, .json = json};
    rb_buf_init(&answer->mistakes, MISTAKES_MAX);
    if (!json) {
        return;
    }
    prepare_last_words(answer);
    const struct sigaction act = {.sa_handler = on_signal};
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++) {
        struct sigaction old;
        if (sigaction(ending[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL) {
            (void)sigaction(ending[i], &act, NULL);
        }
    }
}

void rb_answer_release(struct rb_answer *answer)
{
    rb_out_set_last(NULL);
    rb_buf_release(&answer->mistakes);
    free(answer->pipeline);
}

void rb_answer_name(struct rb_answer *answer, const char *pipeline)
{
    if (answer == NULL) {
        return;
    }
    free(answer->pipeline);
    answer->pipeline = pipeline != NULL ? strdup(pipeline) : NULL;
    if (answer->json && !answer->written) {
        prepare_last_words(answer);
    }
}

void rb_answer_fail(struct rb_answer *answer, const char *where, const struct rb_error *error)
{
    if (answer == NULL || answer->has_fault) {
        return;
    }
    answer->has_fault = true;
    answer->side = side_of(where);
    answer->fault = *error;
}

void rb_answer_mistake(struct rb_answer *answer, const struct rb_diag *diag)
{
    if (answer == NULL || !answer->json) {
        return;
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(MISTAKES_MAX);
    struct rb_json json;
    rb_json_init(&json, &text);
    rb_json_begin_object(&json);
    rb_json_member_str(&json, "path", diag->path);
    rb_json_member_i64(&json, "line", diag->line);
    rb_json_member_i64(&json, "column", diag->column);
    rb_json_member_str(&json, "message", diag->message);
    rb_json_member_str(&json, "hint", diag->hint);
    rb_json_end_object(&json);
    size_t before = answer->mistakes.len;
    bool fits = rb_json_finish(&json) == 0 &&
                (before == 0 || rb_buf_append(&answer->mistakes, ",", 1) == 0) &&
                rb_buf_append(&answer->mistakes, text.data, text.len) == 0;
    if (!fits) {
        answer->mistakes.len = before;
    }
}

int rb_answer_print(struct rb_answer *answer, struct rb_json *json, const struct rb_buf *text)
{
    int status = rb_json_finish(json);
    if (status != 0) {
        return status;
    }
    /* From here on a signal prints nothing of its own. */
    rb_out_set_last(NULL);
    answer->written = true;
    rb_out_json(RB_OUT_ANSWER, text);
    return RB_OK;
}

void rb_answer_end(struct rb_answer *answer, int exit_code)
{
    if (!answer->json || answer->written || exit_code == RB_EXIT_OK) {
        return;
    }
    rb_out_set_last(NULL);
    answer->written = true;
    struct rb_error unknown;
    rb_error_clear(&unknown);
    rb_error_set(&unknown, RB_EINTERNAL, "NO_ANSWER", "the answer could not be written as JSON");
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(JSON_MAX);
    if (write_failure(answer, exit_code, answer->has_fault ? &answer->fault : &unknown, &text) ==
        0) {
        rb_out_json(RB_OUT_ANSWER, &text);
    }
}

/* rapidbyte: moves tables between databases through sandboxed connectors. */
#include <signal.h>
#include <string.h>

#include "host/cli/help.h"
#include "host/cli/options.h"
#include "host/cli/out.h"
#include "host/engine/engine.h"

static const struct rb_command state_commands[] = {
    {.name = "state show",
     .summary = "where each stream of a pipeline stands",
     .help = rb_help_state_show,
     .options = "o",
     .min_operands = 1,
     .max_operands = 1,
     .run = rb_cmd_state_show,
     .list = "streams"},
    {.name = "state reset",
     .summary = "forget cursors: streams are read from their start again",
     .help = rb_help_state_reset,
     .options = "osIOAC",
     .min_operands = 1,
     .max_operands = 1,
     .run = rb_cmd_state_reset,
     .list = "changed"},
    {.name = "state abandon",
     .summary = "give up a load that did not end",
     .help = rb_help_state_abandon,
     .options = "okIOAC",
     .min_operands = 1,
     .max_operands = 2,
     .run = rb_cmd_state_abandon,
     .list = "given_up"},
    {.name = "state set-cursor",
     .summary = "set where a stream goes on",
     .help = rb_help_state_set_cursor,
     .options = "oIOAC",
     .min_operands = 3,
     .max_operands = 3,
     .run = rb_cmd_state_set_cursor,
     .list = "changed",
     .needs = "a pipeline, a stream and a value are needed"},
    {.name = "state export",
     .summary = "write a pipeline's state to standard output",
     .help = rb_help_state_export,
     .options = "",
     .min_operands = 1,
     .max_operands = 1,
     .run = rb_cmd_state_export},
    {.name = "state import",
     .summary = "replace a pipeline's state by an exported one",
     .help = rb_help_state_import,
     .options = "oIOAC",
     .min_operands = 2,
     .max_operands = 2,
     .run = rb_cmd_state_import,
     .list = "changed",
     .needs = "a pipeline and an exported file (or -) are needed"},
};

static const struct rb_command connectors_commands[] = {
    {.name = "connectors verify",
     .summary = "check connectors without running them",
     .help = rb_help_connectors_verify,
     .options = "oOAC",
     .min_operands = 0,
     .max_operands = 64,
     .run = rb_cmd_connectors_verify,
     .list = "connectors"},
};

static const struct rb_command history_commands[] = {
    {.name = "history show",
     .summary = "one run: its streams, rows, checksums, timings, errors",
     .help = rb_help_history_show,
     .options = "oS",
     .min_operands = 1,
     .max_operands = 2,
     .run = rb_cmd_history_show,
     .list = "streams",
     .needs = "which run? 'rapidbyte history' lists them; or: last"},
};

#define COMMANDS(table) .commands = (table), .n_commands = sizeof(table) / sizeof *(table)
static const struct rb_command commands[] = {
    {.name = "run",
     .summary = "move the tables of a pipeline",
     .help = rb_help_run,
     .options = "osRkNrIOAC",
     .min_operands = 1,
     .max_operands = 1,
     .run = rb_cmd_run,
     .list = "streams"},
    {.name = "check",
     .summary = "prove that a pipeline would run, without moving a row",
     .help = rb_help_check,
     .options = "osRkNrIOAC",
     .min_operands = 1,
     .max_operands = 1,
     .run = rb_cmd_check,
     .list = "checks"},
    {.name = "verify",
     .summary = "compare what source and destination hold",
     .help = rb_help_verify,
     .options = "osIOAC",
     .min_operands = 1,
     .max_operands = 1,
     .run = rb_cmd_verify,
     .list = "streams"},
    {.name = "discover",
     .summary = "list what the source of a pipeline has",
     .help = rb_help_discover,
     .options = "oIOAC",
     .min_operands = 1,
     .max_operands = 1,
     .run = rb_cmd_discover,
     .list = "streams"},
    {.name = "state",
     .summary = "show and change where a pipeline's streams stand",
     .help = rb_help_state,
     COMMANDS(state_commands)},
    {.name = "history",
     .summary = "list runs, and what came of them",
     .help = rb_help_history,
     .options = "oSn",
     .min_operands = 0,
     .max_operands = 1,
     .run = rb_cmd_history,
     .list = "runs",
     COMMANDS(history_commands)},
    {.name = "cancel",
     .summary = "stop the run of a pipeline",
     .help = rb_help_cancel,
     .options = "o",
     .min_operands = 1,
     .max_operands = 1,
     .run = rb_cmd_cancel},
    {.name = "connectors",
     .summary = "list the connectors that are installed",
     .help = rb_help_connectors,
     .options = "oC",
     .min_operands = 0,
     .max_operands = 0,
     .run = rb_cmd_connectors,
     .list = "connectors",
     COMMANDS(connectors_commands)},
    {.name = "compile",
     .summary = "compile connectors ahead of time",
     .help = rb_help_compile,
     .options = "oOACMP",
     .min_operands = 0,
     .max_operands = 64,
     .run = rb_cmd_compile},
    {.name = "version",
     .summary = "print the version",
     .help = rb_help_version,
     .options = "o",
     .min_operands = 0,
     .max_operands = 0,
     .run = rb_cmd_version},
    {.name = "worker",
     .help = rb_help_worker,
     .options = "fb",
     .min_operands = 0,
     .max_operands = 0,
     .run = rb_cmd_worker},
};

enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void print_overview(enum rb_out to)
{
    rb_out_own(to, rb_help_overview_head);
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (commands[i].summary != NULL) {
            rb_out_line(to, "  %-12s%s", commands[i].name, commands[i].summary);
        }
    }
    rb_out_own(to, rb_help_overview_tail);
}

static const struct rb_command *find(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

/* "show" of "state". */
static const struct rb_command *find_own(const struct rb_command *command, const char *name)
{
    size_t skip = strlen(command->name) + 1;
    for (size_t i = 0; i < command->n_commands; i++) {
        if (strcmp(command->commands[i].name + skip, name) == 0) {
            return &command->commands[i];
        }
    }
    return NULL;
}

/* By the first letters: `rapidbyte disc` means discover. */
static const char *nearest(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (commands[i].summary != NULL && name[0] != 0 &&
            strncmp(commands[i].name, name, 2) == 0) {
            return commands[i].name;
        }
    }
    return NULL;
}

static int run_command(const struct rb_command *command, int argc, char **argv)
{
    struct rb_cli cli;
    RB_CLEANUP(rb_answer_release) struct rb_answer answer;
    rb_answer_init(&answer, command->name, command->list,
                   strchr(command->options, 'o') != NULL && rb_cli_wants_json(argc, argv));
    int code = rb_cli_parse(argc, argv, command, &answer, &cli);
    if (code == 0 && cli.help) {
        rb_out_own(RB_OUT_ANSWER, command->help);
    } else if (code == 0) {
        code = command->run(&cli);
    }
    rb_cli_release(&cli);
    rb_answer_end(&answer, code);
    /* A full disk or a closed pipe must not look like success. */
    if (!rb_out_flush() && code == 0) {
        rb_out_line(RB_OUT_NEWS, "rapidbyte: writing to standard output failed");
        code = RB_EXIT_INTERNAL;
    }
    return code;
}

/* argv[0] is what stands before the command. */
static int unknown(const char *parent, int argc, char **argv, const char *near)
{
    const char *space = parent[0] != 0 ? " " : "";
    RB_CLEANUP(rb_answer_release) struct rb_answer answer;
    struct rb_error error;
    rb_error_clear(&error);
    rb_error_set(&error, RB_ECONFIG, "USAGE", "rapidbyte: unknown command '%s%s%s'%s%s%s", parent,
                 space, argv[1], near != NULL ? "; did you mean '" : "", near != NULL ? near : "",
                 near != NULL ? "'?" : "");
    rb_error_set_hint(&error, "try 'rapidbyte %s%s--help'", parent, space);
    rb_out_line(RB_OUT_NEWS, "%s", error.message);
    rb_out_line(RB_OUT_NEWS, "  %s", error.hint);
    rb_answer_init(&answer, parent, NULL, rb_cli_wants_json(argc, argv));
    rb_answer_fail(&answer, NULL, &error);
    rb_answer_end(&answer, RB_EXIT_USAGE);
    return RB_EXIT_USAGE;
}

/* argv[0] is the command's name. */
static int dispatch(const struct rb_command *command, int argc, char **argv)
{
    const char *next = argc > 1 ? argv[1] : NULL;
    const struct rb_command *own = next != NULL ? find_own(command, next) : NULL;
    if (own != NULL) {
        return run_command(own, argc - 1, argv + 1);
    }
    if (command->run != NULL) {
        return run_command(command, argc, argv);
    }
    if (next == NULL) {
        rb_out_own(RB_OUT_NEWS, command->help);
        return RB_EXIT_USAGE;
    }
    if (strcmp(next, "--help") == 0 || strcmp(next, "-h") == 0) {
        rb_out_own(RB_OUT_ANSWER, command->help);
        return RB_EXIT_OK;
    }
    return unknown(command->name, argc, argv, NULL);
}

int main(int argc, char **argv)
{
    /* A write that fails says so. */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    if (argc < 2) {
        print_overview(RB_OUT_NEWS);
        return RB_EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 ||
        (strcmp(name, "help") == 0 && argc == 2)) {
        print_overview(RB_OUT_ANSWER);
        return RB_EXIT_OK;
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        name = "version";
    }
    if (strcmp(name, "help") == 0 && find(argv[2]) != NULL) {
        const struct rb_command *command = find(argv[2]);
        const struct rb_command *own = argc > 3 ? find_own(command, argv[3]) : NULL;
        rb_out_own(RB_OUT_ANSWER, own != NULL ? own->help : command->help);
        return RB_EXIT_OK;
    }
    const struct rb_command *command = find(name);
    if (command == NULL) {
        return unknown("", argc, argv, nearest(name));
    }
    return dispatch(command, argc - 1, argv + 1);
}

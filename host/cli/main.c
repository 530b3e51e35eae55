/* rapidbyte: moves tables between databases through sandboxed connectors. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "host/cli/help.h"
#include "host/cli/options.h"
#include "host/engine/engine.h"

static const struct rb_command commands[] = {
    {"run", "move the tables of a pipeline", rb_help_run, "osRIAC", 1, 1, rb_cmd_run},
    {"check", "prove that a pipeline would run, without moving a row", rb_help_check, "oIAC", 1, 1,
     rb_cmd_check},
    {"discover", "list what the source of a pipeline has", rb_help_discover, "oIAC", 1, 1,
     rb_cmd_discover},
    {"connectors", "list the connectors that are installed", rb_help_connectors, "oC", 0, 0,
     rb_cmd_connectors},
    {"compile", "compile connectors ahead of time", rb_help_compile, "oAC", 0, 64, rb_cmd_compile},
    {"version", "print the version", rb_help_version, "o", 0, 0, rb_cmd_version},
    {"worker", NULL, rb_help_worker, "f", 0, 0, rb_cmd_worker},
};

enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void print_overview(FILE *out)
{
    fputs(rb_help_overview_head, out);
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (commands[i].summary != NULL) {
            fprintf(out, "  %-12s%s\n", commands[i].name, commands[i].summary);
        }
    }
    fputs(rb_help_overview_tail, out);
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
    int code = rb_cli_parse(argc, argv, command, &cli);
    if (code == 0 && cli.help) {
        fputs(command->help, stdout);
    } else if (code == 0) {
        code = command->run(&cli);
    }
    rb_cli_release(&cli);
    /* A full disk or a closed pipe must not look like success. */
    if (fflush(stdout) != 0 && code == 0) {
        fputs("rapidbyte: writing to standard output failed\n", stderr);
        code = RB_EXIT_INTERNAL;
    }
    return code;
}

int main(int argc, char **argv)
{
    (void)signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        print_overview(stderr);
        return RB_EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 ||
        (strcmp(name, "help") == 0 && argc == 2)) {
        print_overview(stdout);
        return RB_EXIT_OK;
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        name = "version";
    }
    if (strcmp(name, "help") == 0 && find(argv[2]) != NULL) {
        fputs(find(argv[2])->help, stdout);
        return RB_EXIT_OK;
    }
    const struct rb_command *command = find(name);
    if (command == NULL) {
        const char *near = nearest(name);
        fprintf(stderr, "rapidbyte: unknown command '%s'", name);
        if (near != NULL) {
            fprintf(stderr, "; did you mean '%s'?", near);
        }
        fputs("\n  try 'rapidbyte --help'\n", stderr);
        return RB_EXIT_USAGE;
    }
    return run_command(command, argc - 1, argv + 1);
}

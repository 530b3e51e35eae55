/* What every command takes, and how the command line is read. */
#ifndef RB_HOST_CLI_OPTIONS_H
#define RB_HOST_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "host/cli/answer.h"
#include "host/config/pipeline.h"

enum rb_output { RB_OUTPUT_TEXT, RB_OUTPUT_JSON, RB_OUTPUT_YAML };

enum { RB_CLI_STREAMS_MAX = 4096, RB_CLI_KEY_MAX = 250 /* bytes of a load's key */ };

struct rb_cli {
    const char *command;
    struct rb_answer *answer; /* what --output json comes to */
    enum rb_output output;
    bool quiet;
    bool help;
    bool interpreter;
    bool no_os_sandbox;
    bool full_refresh;
    bool append_again, append_never; /* --new, --resume */
    const char *key;                 /* --key, or $RAPIDBYTE_KEY; NULL: none */
    bool log_json;
    int log_level;           /* enum rb_log_level */
    struct rb_names streams; /* --streams a,b */
    bool has_streams;
    const char *aot_dir;
    const char *connector_dirs;    /* NULL: the default search path */
    const char *state_path;        /* --state; NULL: ./state.db */
    int limit;                     /* --limit */
    uint64_t compile_memory_bytes; /* --memory */
    int64_t compile_cpu_ms;        /* --cpu */
    int link_fd, board_fd;         /* -1: not given */
    char **operands;
    int n_operands;
    char *streams_text; /* owns what `streams` points to */
};

/* One command, or a command of a command ("state show"). */
struct rb_command {
    const char *name;
    const char *summary; /* NULL: not for the command line */
    const char *help;    /* usage, options, examples */
    const char *options; /* letters of the options it takes, see options.c */
    int min_operands, max_operands;
    int (*run)(const struct rb_cli *cli); /* NULL: it has commands of its own alone */
    const char *list;                     /* the array in its JSON; NULL: none */
    const char *needs;                    /* what to say of too few operands; NULL: the pipeline */
    const struct rb_command *commands;    /* of its own; NULL: none */
    size_t n_commands;
};

/* Whether --output json is among the arguments, of whatever command, right or wrong. argv[0] is not
 * one of them; operands are moved behind the options. */
bool rb_cli_wants_json(int argc, char **argv);
/* Reads what follows the command's name. 0, or RB_EXIT_USAGE after saying what is wrong. */
int rb_cli_parse(int argc, char **argv, const struct rb_command *command, struct rb_answer *answer,
                 struct rb_cli *ret);
void rb_cli_release(struct rb_cli *cli);

int rb_cmd_run(const struct rb_cli *cli);
int rb_cmd_check(const struct rb_cli *cli);
int rb_cmd_verify(const struct rb_cli *cli);
int rb_cmd_discover(const struct rb_cli *cli);
int rb_cmd_connectors(const struct rb_cli *cli);
int rb_cmd_connectors_verify(const struct rb_cli *cli);
int rb_cmd_compile(const struct rb_cli *cli);
int rb_cmd_state_show(const struct rb_cli *cli);
int rb_cmd_state_abandon(const struct rb_cli *cli);
int rb_cmd_state_reset(const struct rb_cli *cli);
int rb_cmd_state_set_cursor(const struct rb_cli *cli);
int rb_cmd_state_export(const struct rb_cli *cli);
int rb_cmd_state_import(const struct rb_cli *cli);
int rb_cmd_history(const struct rb_cli *cli);
int rb_cmd_history_show(const struct rb_cli *cli);
int rb_cmd_cancel(const struct rb_cli *cli);
int rb_cmd_version(const struct rb_cli *cli);
int rb_cmd_worker(const struct rb_cli *cli);

#endif

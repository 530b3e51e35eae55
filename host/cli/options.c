#include "host/cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "host/cli/out.h"
#include "host/config/pipeline.h"
#include "host/config/scalar.h"
#include "host/engine/engine.h"

enum { LIMIT_DEFAULT = 20 }; /* runs that `history` shows */

/* The letter names the option in struct rb_command.options; h, q, v, L and F are everybody's. */
static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, 'v'},
    {"log-level", required_argument, NULL, 'L'},
    {"log-format", required_argument, NULL, 'F'},
    {"output", required_argument, NULL, 'o'},
    {"streams", required_argument, NULL, 's'},
    {"full-refresh", no_argument, NULL, 'R'},
    {"key", required_argument, NULL, 'k'},
    {"new", no_argument, NULL, 'N'},
    {"resume", no_argument, NULL, 'r'},
    {"interpreter", no_argument, NULL, 'I'},
    {"no-os-sandbox", no_argument, NULL, 'O'},
    {"aot-dir", required_argument, NULL, 'A'},
    {"connectors", required_argument, NULL, 'C'},
    {"link-fd", required_argument, NULL, 'f'},
    {"board-fd", required_argument, NULL, 'b'},
    {"state", required_argument, NULL, 'S'},
    {"limit", required_argument, NULL, 'n'},
    {"memory", required_argument, NULL, 'M'},
    {"cpu", required_argument, NULL, 'P'},
    {NULL, 0, NULL, 0},
};

#define SHORT_OPTIONS ":hqvo:"

static int usage(const struct rb_command *command, const struct rb_cli *cli, const char *what,
                 const char *value)
{
    struct rb_error error;
    rb_error_clear(&error);
    rb_error_set(&error, RB_ECONFIG, "USAGE", "rapidbyte %s: %s%s%s%s", command->name, what,
                 value != NULL ? " '" : "", value != NULL ? value : "", value != NULL ? "'" : "");
    rb_error_set_hint(&error, "try 'rapidbyte %s --help'", command->name);
    rb_out_line(RB_OUT_NEWS, "%s", error.message);
    rb_out_line(RB_OUT_NEWS, "  %s", error.hint);
    rb_answer_fail(cli->answer, NULL, &error);
    return RB_EXIT_USAGE;
}

static int parse_word(const char *text, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(text, words[i]) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static int parse_level(const struct rb_command *command, struct rb_cli *ret, const char *text)
{
    static const char *const levels[] = {"error", "warn", "info", "debug", "trace"};
    ret->log_level = parse_word(text, levels, 5);
    return ret->log_level >= 0
               ? 0
               : usage(command, ret, "--log-level takes error, warn, info, debug or trace, not",
                       text);
}

static int parse_memory(const struct rb_command *command, struct rb_cli *ret, const char *text)
{
    return rb_scalar_size(text, &ret->compile_memory_bytes) && ret->compile_memory_bytes > 0
               ? 0
               : usage(command, ret, "--memory takes a size (3gb), not", text);
}

static int parse_cpu(const struct rb_command *command, struct rb_cli *ret, const char *text)
{
    int64_t micros = 0;
    bool ok = rb_scalar_micros(text, &micros) && micros >= 1000000;
    ret->compile_cpu_ms = micros / 1000;
    return ok ? 0 : usage(command, ret, "--cpu takes a duration of at least 1s (10m), not", text);
}

static int parse_format(const struct rb_command *command, struct rb_cli *ret, const char *text)
{
    static const char *const formats[] = {"text", "json"};
    int format = parse_word(text, formats, 2);
    ret->log_json = format == 1;
    return format >= 0 ? 0 : usage(command, ret, "--log-format takes text or json, not", text);
}

static int parse_output(const struct rb_command *command, struct rb_cli *ret, const char *text)
{
    static const char *const outputs[] = {"text", "json", "yaml"};
    int output = parse_word(text, outputs, 3);
    if (output < 0 || (output == RB_OUTPUT_YAML && strcmp(command->name, "discover") != 0)) {
        return usage(command, ret, "--output takes text or json (discover: yaml, too), not", text);
    }
    ret->output = (enum rb_output)output;
    return 0;
}

static int parse_streams(const struct rb_command *command, struct rb_cli *ret, const char *text)
{
    free(ret->streams_text);
    free((void *)ret->streams.items);
    ret->streams.count = 0;
    ret->streams_text = strdup(text);
    ret->streams.items = calloc(RB_CLI_STREAMS_MAX, sizeof *ret->streams.items);
    ret->has_streams = true;
    if (ret->streams_text == NULL || ret->streams.items == NULL) {
        return usage(command, ret, "out of memory", NULL);
    }
    char *rest = ret->streams_text;
    char *name;
    while ((name = strsep(&rest, ",")) != NULL) {
        if (name[0] == 0) {
            return usage(command, ret, "--streams takes names separated by commas, not", text);
        }
        if (ret->streams.count == RB_CLI_STREAMS_MAX) {
            return usage(command, ret, "--streams names too many streams", NULL);
        }
        ret->streams.items[ret->streams.count++] = name;
    }
    return 0;
}

static int parse_fd(const struct rb_command *command, const struct rb_cli *ret, int *ret_fd,
                    const char *text)
{
    char *end;
    errno = 0;
    long fd = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != 0 || fd < 0 || fd > 65535) {
        return usage(command, ret, "--link-fd and --board-fd take a number, not", text);
    }
    *ret_fd = (int)fd;
    return 0;
}

static int parse_limit(const struct rb_command *command, struct rb_cli *ret, const char *text)
{
    char *end;
    errno = 0;
    long limit = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != 0 || limit < 1 || limit > INT_MAX) {
        return usage(command, ret, "--limit takes a number from 1 on, not", text);
    }
    ret->limit = (int)limit;
    return 0;
}

/* What an engine calls its job by: text of one line. */
static int check_key(const struct rb_command *command, const struct rb_cli *cli, const char *key)
{
    size_t len = strlen(key);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)key[i] < ' ' || key[i] == 127) {
            return usage(command, cli, "a key is text without control characters, not", key);
        }
    }
    if (len == 0 || len > RB_CLI_KEY_MAX) {
        return usage(command, cli, "a key has 1 to 250 bytes, not", key);
    }
    return 0;
}

/* The key's variable stands for --key; an empty one for none. */
static int check_load(const struct rb_command *command, struct rb_cli *ret)
{
    const char *variable = getenv("RAPIDBYTE_KEY");
    bool is_run = strchr(command->options, 'N') != NULL;
    if (is_run && ret->key == NULL && variable != NULL && variable[0] != '\0') {
        ret->key = variable;
        if (check_key(command, ret, variable) != 0) {
            return RB_EXIT_USAGE;
        }
    }
    if (ret->append_again && ret->append_never) {
        return usage(command, ret, "--new and --resume exclude each other", NULL);
    }
    if (ret->append_again && ret->key != NULL) {
        return usage(command, ret,
                     "--new begins a load without a name: it does not go with --key (or "
                     "$RAPIDBYTE_KEY)",
                     NULL);
    }
    return 0;
}

static int take(const struct rb_command *command, struct rb_cli *ret, int letter, const char *value)
{
    switch (letter) {
    case 'h':
        ret->help = true;
        return 0;
    case 'q':
        ret->quiet = true;
        ret->log_level = RB_LOG_ERROR;
        return 0;
    case 'v':
        ret->log_level += ret->log_level < RB_LOG_TRACE ? 1 : 0;
        return 0;
    case 'L':
        return parse_level(command, ret, value);
    case 'F':
        return parse_format(command, ret, value);
    case 'o':
        return parse_output(command, ret, value);
    case 's':
        return parse_streams(command, ret, value);
    case 'R':
        ret->full_refresh = true;
        return 0;
    case 'k':
        ret->key = value;
        return check_key(command, ret, value);
    case 'N':
        ret->append_again = true;
        return 0;
    case 'r':
        ret->append_never = true;
        return 0;
    case 'I':
        ret->interpreter = true;
        return 0;
    case 'O':
        ret->no_os_sandbox = true;
        return 0;
    case 'A':
        ret->aot_dir = value;
        return 0;
    case 'C':
        ret->connector_dirs = value;
        return 0;
    case 'f':
        return parse_fd(command, ret, &ret->link_fd, value);
    case 'b':
        return parse_fd(command, ret, &ret->board_fd, value);
    case 'S':
        ret->state_path = value;
        return 0;
    case 'n':
        return parse_limit(command, ret, value);
    case 'M':
        return parse_memory(command, ret, value);
    case 'P':
        return parse_cpu(command, ret, value);
    default:
        return RB_EXIT_INTERNAL;
    }
}

bool rb_cli_wants_json(int argc, char **argv)
{
    bool json = false;
    opterr = 0;
    optind = 1;
    for (int letter; (letter = getopt_long(argc, argv, SHORT_OPTIONS, long_options, NULL)) != -1;) {
        json |= letter == 'o' && strcmp(optarg, "json") == 0;
    }
    return json;
}

int rb_cli_parse(int argc, char **argv, const struct rb_command *command, struct rb_answer *answer,
                 struct rb_cli *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->command = command->name;
    ret->answer = answer;
    ret->log_level = RB_LOG_WARN;
    ret->link_fd = -1;
    ret->board_fd = -1;
    ret->limit = LIMIT_DEFAULT;
    ret->compile_memory_bytes = RB_COMPILE_MEMORY_BYTES;
    ret->compile_cpu_ms = RB_COMPILE_CPU_MS;
    opterr = 0;
    optind = 1;
    for (;;) {
        int letter = getopt_long(argc, argv, SHORT_OPTIONS, long_options, NULL);
        if (letter == -1) {
            break;
        }
        const char *given = argv[optind - 1];
        if (letter == '?') {
            return usage(command, ret, "unknown option", given);
        }
        if (letter == ':') {
            return usage(command, ret, "a value is missing after", given);
        }
        if (strchr("hqvLF", letter) == NULL && strchr(command->options, letter) == NULL) {
            return usage(command, ret, "this command has no option", given);
        }
        int status = take(command, ret, letter, optarg);
        if (status != 0) {
            return status;
        }
    }
    ret->operands = argv + optind;
    ret->n_operands = argc - optind;
    if (ret->help) {
        return 0;
    }
    if (check_load(command, ret) != 0) {
        return RB_EXIT_USAGE;
    }
    if (ret->n_operands < command->min_operands) {
        return usage(command, ret,
                     command->needs != NULL ? command->needs : "which pipeline? name its YAML file",
                     NULL);
    }
    if (ret->n_operands > command->max_operands) {
        return usage(command, ret, "unexpected operand", ret->operands[command->max_operands]);
    }
    return 0;
}

void rb_cli_release(struct rb_cli *cli)
{
    free(cli->streams_text);
    free((void *)cli->streams.items);
}

/* The texts of --help of what looks at runs and state. */
#include "host/cli/help.h"

#define QUIET_AND_HELP                                                                             \
    "  -q, --quiet            errors only\n"                                                       \
    "  -h, --help             this text\n"

#define CONNECTOR_OPTIONS                                                                          \
    "      --connectors DIRS  folders with connectors, separated by ':'\n"                         \
    "      --aot-dir DIR      cache of compiled connectors\n"                                      \
    "      --interpreter      run connectors without compiling them (slow)\n"                      \
    "      --no-os-sandbox    do not have the kernel limit the process of the connectors\n"

const char rb_help_state[] =
    "usage: rapidbyte state COMMAND [OPTION]... PIPELINE.yaml\n"
    "\n"
    "Shows and changes where the streams of a pipeline stand: the cursors of incremental streams.\n"
    "\n"
    "  show                            where each stream stands\n"
    "  reset [--streams A,B]           forget: streams are read from their start again\n"
    "  abandon [--key KEY] PIPELINE [LOAD]\n"
    "                                  give up a load that did not end\n"
    "  set-cursor PIPELINE STREAM VALUE\n"
    "                                  the next run reads what lies behind this value\n"
    "  export                          the state as JSON, on standard output\n"
    "  import PIPELINE FILE            replace the state by an exported one\n"
    "\n"
    "The destination's ledger is the authority over cursors: what changes them is written there,\n"
    "too, and so needs a connection to the destination. None of it touches rows.\n"
    "\n"
    "examples:\n"
    "  rapidbyte state show pipeline.yaml\n"
    "  rapidbyte state reset pipeline.yaml --streams orders\n";

const char rb_help_state_show[] =
    "usage: rapidbyte state show [OPTION]... PIPELINE.yaml\n"
    "\n"
    "Shows where each stream of a pipeline stands, the load that brought it there, and whether "
    "the\n"
    "pipeline is being run. Of the document only the name and the state's path are read.\n"
    "\n"
    "  -o, --output FMT       text (default) or json\n" QUIET_AND_HELP "\n"
    "example:\n"
    "  rapidbyte state show pipeline.yaml\n";

const char rb_help_state_reset[] =
    "usage: rapidbyte state reset [OPTION]... PIPELINE.yaml\n"
    "\n"
    "Forgets where streams stand, in the destination's ledger and in the state: the next run "
    "reads\n"
    "incremental streams from their start. Rows stay as they are, so a stream that appends will\n"
    "hold them twice: empty its table first, or use 'run --full-refresh', which replaces it.\n"
    "\n"
    "      --streams A,B      these streams alone\n"
    "  -o, --output FMT       text (default) or json\n" CONNECTOR_OPTIONS QUIET_AND_HELP "\n"
    "examples:\n"
    "  rapidbyte state reset pipeline.yaml\n"
    "  rapidbyte state reset pipeline.yaml --streams orders,users\n";

const char rb_help_state_abandon[] =
    "usage: rapidbyte state abandon [OPTION]... PIPELINE.yaml [LOAD]\n"
    "\n"
    "Gives up loads that did not end: the one with this key or load id, or all of the pipeline. "
    "What\n"
    "they have committed stays. The next run appends again what they had appended, and a key "
    "that is\n"
    "given up names a new load. Refused while the pipeline is being run.\n"
    "\n"
    "      --key KEY          the load that was begun with 'run --key KEY'\n"
    "  -o, --output FMT       text (default) or json\n" CONNECTOR_OPTIONS QUIET_AND_HELP "\n"
    "examples:\n"
    "  rapidbyte state abandon pipeline.yaml\n"
    "  rapidbyte state abandon pipeline.yaml --key nightly-2026-11-30\n";

const char rb_help_state_set_cursor[] =
    "usage: rapidbyte state set-cursor [OPTION]... PIPELINE.yaml STREAM VALUE\n"
    "\n"
    "Sets where an incremental stream goes on, in the destination's ledger and in the state: the\n"
    "next run reads the rows whose cursor is greater than VALUE (with upsert also those that lie "
    "in\n"
    "the stream's lookback before it). VALUE is written as the source takes it. Rows stay as they\n"
    "are: a stream that appends gets those behind VALUE again.\n"
    "\n"
    "  -o, --output FMT       text (default) or json\n" CONNECTOR_OPTIONS QUIET_AND_HELP "\n"
    "examples:\n"
    "  rapidbyte state set-cursor pipeline.yaml orders '2026-01-31 00:00:00+00'\n"
    "  rapidbyte state set-cursor pipeline.yaml events -- -5\n";

const char rb_help_state_export[] = "usage: rapidbyte state export [OPTION]... PIPELINE.yaml\n"
                                    "\n"
                                    "Writes the state of a pipeline to standard output, as JSON "
                                    "that 'state import' reads: cursors\n"
                                    "and what connectors keep. Runs are not part of it.\n"
                                    "\n" QUIET_AND_HELP "\n"
                                    "example:\n"
                                    "  rapidbyte state export pipeline.yaml > state.json\n";

const char rb_help_state_import[] =
    "usage: rapidbyte state import [OPTION]... PIPELINE.yaml FILE\n"
    "\n"
    "Replaces the state of a pipeline by an exported one (- is standard input), in the\n"
    "destination's ledger and in the state file. The name of the pipeline must be the same.\n"
    "\n"
    "  -o, --output FMT       text (default) or json\n" CONNECTOR_OPTIONS QUIET_AND_HELP "\n"
    "example:\n"
    "  rapidbyte state import pipeline.yaml state.json\n";

const char rb_help_history[] =
    "usage: rapidbyte history [OPTION]... [PIPELINE.yaml]\n"
    "       rapidbyte history show [OPTION]... RUN [PIPELINE.yaml]\n"
    "\n"
    "Lists runs, the newest first: of a pipeline, or of all that are in ./state.db or in the file\n"
    "that --state names.\n"
    "\n"
    "      --limit N          at most N runs (default 20)\n"
    "      --state FILE       a state file, instead of a pipeline\n"
    "  -o, --output FMT       text (default) or json\n" QUIET_AND_HELP "\n"
    "examples:\n"
    "  rapidbyte history pipeline.yaml\n"
    "  rapidbyte history --state /var/lib/rapidbyte/state.db --limit 100\n"
    "  rapidbyte history show last pipeline.yaml\n";

const char rb_help_history_show[] =
    "usage: rapidbyte history show [OPTION]... RUN [PIPELINE.yaml]\n"
    "\n"
    "Shows one run, by its number or as 'last': its streams with rows, bytes, checksums, timings "
    "and\n"
    "errors.\n"
    "\n"
    "      --state FILE       a state file, instead of a pipeline; otherwise ./state.db\n"
    "  -o, --output FMT       text (default) or json\n" QUIET_AND_HELP "\n"
    "examples:\n"
    "  rapidbyte history show 12 pipeline.yaml\n"
    "  rapidbyte history show last pipeline.yaml --output json\n";

const char rb_help_cancel[] =
    "usage: rapidbyte cancel [OPTION]... PIPELINE.yaml\n"
    "\n"
    "Stops the run of a pipeline, as SIGTERM does: statements on the servers are cancelled, "
    "nothing\n"
    "half-done stays. It must run on this host. Waits up to two seconds for its end.\n"
    "\n"
    "  -o, --output FMT       text (default) or json\n" QUIET_AND_HELP "\n"
    "example:\n"
    "  rapidbyte cancel pipeline.yaml\n";

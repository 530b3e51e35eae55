#include "host/cli/help.h"

#define COMMON_OPTIONS                                                                             \
    "  -q, --quiet            errors only, no progress and no table\n"                             \
    "  -v, --verbose          more of what connectors log; twice for debug\n"                      \
    "      --log-level LEVEL  error, warn (default), info, debug or trace\n"                       \
    "      --log-format FMT   text (default) or json, one object a line, on standard error\n"      \
    "  -h, --help             this text\n"

#define RUN_OPTIONS                                                                                \
    "      --connectors DIRS  folders with connectors, separated by ':'; otherwise\n"              \
    "                         $RAPIDBYTE_CONNECTOR_DIR, the folder beside the binary and\n"        \
    "                         ~/.rapidbyte/plugins\n"                                              \
    "      --aot-dir DIR      cache of compiled connectors; otherwise $RAPIDBYTE_CACHE_DIR,\n"     \
    "                         else ~/.cache/rapidbyte/aot\n"                                       \
    "      --interpreter      run connectors without compiling them (slow)\n"                      \
    "      --no-os-sandbox    do not have the kernel limit the process of the connectors\n"

const char rb_help_overview_head[] =
    "rapidbyte moves tables between databases, exactly, through sandboxed connectors.\n"
    "\n"
    "usage: rapidbyte COMMAND [OPTION]... [PIPELINE.yaml]\n"
    "\n";

const char rb_help_overview_tail[] =
    "\n"
    "examples:\n"
    "  rapidbyte check pipeline.yaml      is everything so that it would run?\n"
    "  rapidbyte run pipeline.yaml        run it\n"
    "  rapidbyte verify pipeline.yaml     is the destination what the source is?\n"
    "  rapidbyte discover pipeline.yaml   what could be read?\n"
    "\n"
    "'rapidbyte COMMAND --help' tells more. Exit codes: 0 done, 1 internal fault, 2 command line "
    "or\n"
    "document, 3 source, 4 destination, 5 data refused, 6 connector, 7 state or lock, 8 some "
    "streams\n"
    "failed, 130 cancelled.\n";

const char rb_help_run[] =
    "usage: rapidbyte run [OPTION]... PIPELINE.yaml\n"
    "\n"
    "Moves the streams of a pipeline. After exit code 0 the destination holds what the source "
    "held.\n"
    "A run that failed left nothing half-done; run again to complete it. Each run reads every "
    "stream\n"
    "as it is now.\n"
    "\n"
    "  -o, --output FMT       text (default) or json: the report, on standard output\n"
    "      --streams A,B      only these streams of the document\n"
    "      --key KEY          the load that this key names, once: it goes on where it did not "
    "end,\n"
    "                         and is not done again when it has ended; otherwise "
    "$RAPIDBYTE_KEY\n"
    "      --new              append also what a load that did not end has appended\n"
    "      --resume           do not, however long ago that was (resume_within: 12h)\n"
    "      --full-refresh     read incremental streams from their start; those that append "
    "replace\n"
    "                         what they appended before\n" RUN_OPTIONS COMMON_OPTIONS "\n"
    "With RAPIDBYTE_BENCH=1 the last line is @@BENCH_JSON@@ and an object of figures.\n"
    "\n"
    "examples:\n"
    "  rapidbyte run pipeline.yaml\n"
    "  rapidbyte run pipeline.yaml --streams users,orders\n"
    "  PGPASSWORD=secret rapidbyte run pipeline.yaml --output json\n";

const char rb_help_check[] =
    "usage: rapidbyte check [OPTION]... PIPELINE.yaml\n"
    "\n"
    "Proves, without moving a row: the document, the connectors and their configuration, both\n"
    "connections, the right to read and to write, that streams and cursor columns exist, and that\n"
    "state can be written. Exits with the code that 'run' would when something is not so.\n"
    "\n"
    "  -o, --output FMT       text (default) or json\n"
    "      --streams A,B, --key KEY, --new, --resume, --full-refresh\n"
    "                         as of 'run': what that run would do\n" RUN_OPTIONS COMMON_OPTIONS "\n"
    "examples:\n"
    "  rapidbyte check pipeline.yaml\n"
    "  rapidbyte check pipeline.yaml --key night-2026-03-01\n";

const char rb_help_verify[] =
    "usage: rapidbyte verify [OPTION]... PIPELINE.yaml\n"
    "\n"
    "Has both servers hash what they hold of each stream, by ranges of its key where it has one, "
    "and\n"
    "says which ranges differ. Moves and changes nothing. Compares the columns and the rows that "
    "the\n"
    "document chooses at the source with the whole of the destination's table; rows that the "
    "source\n"
    "got since the last run differ. Exits with 0 when all is the same, 5 when anything differs.\n"
    "\n"
    "  -o, --output FMT       text (default) or json\n"
    "      --streams A,B      only these streams of the document\n" RUN_OPTIONS COMMON_OPTIONS "\n"
    "examples:\n"
    "  rapidbyte verify pipeline.yaml\n"
    "  rapidbyte verify pipeline.yaml --streams users,orders --output json\n";

const char rb_help_discover[] =
    "usage: rapidbyte discover [OPTION]... PIPELINE.yaml\n"
    "\n"
    "Lists what the source of a pipeline has: streams, columns with their types, primary keys, "
    "row\n"
    "estimates, sync modes and a proposed cursor. The document needs no streams yet.\n"
    "\n"
    "  -o, --output FMT       text (default), json, or yaml: a 'streams:' block ready to "
    "paste\n" RUN_OPTIONS COMMON_OPTIONS "\n"
    "example:\n"
    "  rapidbyte discover pipeline.yaml --output yaml\n";

const char rb_help_connectors[] =
    "usage: rapidbyte connectors [OPTION]...\n"
    "       rapidbyte connectors verify [OPTION]... [MODULE.wasm | CONNECTOR]...\n"
    "\n"
    "Lists the connectors that are installed, with version, roles and where they are; 'verify' "
    "checks\n"
    "them.\n"
    "\n"
    "  -o, --output FMT       text (default) or json\n"
    "      --connectors DIRS  folders to look in, separated by ':'\n" COMMON_OPTIONS "\n"
    "example:\n"
    "  rapidbyte connectors\n";

const char rb_help_connectors_verify[] =
    "usage: rapidbyte connectors verify [OPTION]... [MODULE.wasm | CONNECTOR]...\n"
    "\n"
    "Checks connectors without running them; all that are installed when none is named: the "
    "manifest,\n"
    "that the module has the sha-256 that it names, that it is valid WebAssembly, imports nothing "
    "but\n"
    "what the host has, and exports what it must; that what the cache has of it is as it was "
    "compiled.\n"
    "Exit code 6 when one fails.\n"
    "\n"
    "  -o, --output FMT       text (default) or json\n"
    "      --connectors DIRS  folders with connectors, separated by ':'\n"
    "      --aot-dir DIR      the cache; otherwise $RAPIDBYTE_CACHE_DIR, else\n"
    "                         ~/.cache/rapidbyte/aot\n"
    "      --no-os-sandbox    do not have the kernel limit the process\n" COMMON_OPTIONS "\n"
    "example:\n"
    "  rapidbyte connectors verify source-postgres ./my_connector.wasm\n";

const char rb_help_compile[] =
    "usage: rapidbyte compile [OPTION]... [MODULE.wasm | CONNECTOR]...\n"
    "\n"
    "Compiles connectors ahead of time into the cache; all that are installed when none is named.\n"
    "'run' does it by itself the first time, which takes a few seconds a connector.\n"
    "\n"
    "  -o, --output FMT       text (default) or json\n"
    "      --connectors DIRS  folders with connectors, separated by ':'\n"
    "      --aot-dir DIR      the cache; otherwise $RAPIDBYTE_CACHE_DIR, else\n"
    "                         ~/.cache/rapidbyte/aot\n"
    "      --memory SIZE      of the compiler at most (default 3gb)\n"
    "      --cpu TIME         of each module at most (default 10m)\n"
    "      --no-os-sandbox    do not have the kernel limit the compiler\n" COMMON_OPTIONS "\n"
    "examples:\n"
    "  rapidbyte compile\n"
    "  rapidbyte compile source-postgres ./my_connector.wasm\n";

const char rb_help_version[] = "usage: rapidbyte version [OPTION]...\n"
                               "\n"
                               "Prints the version, and that of the connector protocol.\n"
                               "\n"
                               "  -o, --output FMT       text (default) or json\n"
                               "  -h, --help             this text\n"
                               "\n"
                               "example:\n"
                               "  rapidbyte version\n";

const char rb_help_worker[] =
    "usage: rapidbyte worker --link-fd N\n"
    "\n"
    "Runs connectors for the process that started it. Not for the command line.\n";

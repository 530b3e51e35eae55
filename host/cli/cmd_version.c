#include <stdio.h>

#include "host/cli/options.h"
#include "host/cli/version.h"

int rb_cmd_version(const struct rb_cli *cli)
{
    if (cli->output == RB_OUTPUT_JSON) {
        printf("{\"version\":\"%s\",\"protocol_version\":\"%s\",\"build\":\"%s\"}\n", RB_VERSION,
               RB_PROTOCOL_VERSION, RB_BUILD);
    } else {
        printf("rapidbyte %s (connector protocol %s)\n", RB_VERSION, RB_PROTOCOL_VERSION);
    }
    return 0;
}

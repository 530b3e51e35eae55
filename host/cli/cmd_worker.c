#include <limits.h>
#include <string.h>

#include "host/cli/env.h"
#include "host/cli/options.h"
#include "host/cli/out.h"
#include "host/cli/version.h"
#include "host/engine/engine.h"
#include "host/worker/worker.h"

int rb_cmd_worker(const struct rb_cli *cli)
{
    if (cli->link_fd < 0) {
        rb_out_line(RB_OUT_NEWS, "rapidbyte worker: it is started by 'rapidbyte run', not by hand");
        return RB_EXIT_USAGE;
    }
    char stub_path[PATH_MAX];
    rb_env_stub_path(stub_path, sizeof stub_path);
    return rb_worker_main(cli->link_fd, cli->board_fd, stub_path[0] != 0 ? stub_path : NULL,
                          strcmp(RB_BUILD, "sanitized") != 0); /* which looks for leaks */
}

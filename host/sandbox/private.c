#include <sys/prctl.h>
#include <sys/resource.h>

#include "host/sandbox/sandbox.h"

void rb_sandbox_keep_private(void)
{
    const struct rlimit no_core = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)prctl(PR_SET_DUMPABLE, 0);
}

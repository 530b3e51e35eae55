/* More sockets than it may have open (max_sockets: 2). */
#include "tests/hostile/hostile.h"

static uint64_t try_all(void)
{
    static const char host[] = "127.0.0.1";
    int n = 0;
    while (n < 100 && rb_host_net_connect(host, sizeof host - 1, server_port, 5000) > 0) {
        n++;
    }
    return verdict(n == 2 ? NULL : n == 0 ? "nothing: no server" : "more sockets than it may have");
}

HOSTILE_SOURCE(return try_all();)

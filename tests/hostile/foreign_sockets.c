/* Handles that are not its own, while the destination's connections are open in the same process;
 * and its own one closed twice. */
#include "tests/hostile/hostile.h"

static int is_usable(int32_t handle)
{
    char byte = 'x';
    return rb_host_net_send(handle, &byte, 1) != -1 ||
           rb_host_net_recv(handle, &byte, 1, 1) != -1 ||
           rb_host_net_cancel_packet(handle, &byte, 1) != -1 || rb_host_net_close(handle) != -1;
}

static uint64_t try_all(void)
{
    static const char host[] = "127.0.0.1";
    for (int32_t handle = -2; handle < 200; handle++) {
        if (is_usable(handle)) {
            return verdict("a handle that is not there");
        }
    }
    if (is_usable(INT32_MAX) || is_usable(INT32_MIN)) {
        return verdict("a handle out of range");
    }
    int32_t own = rb_host_net_connect(host, sizeof host - 1, server_port, 5000);
    if (own <= 0) {
        return verdict("nothing: the server was not reached");
    }
    if (rb_host_net_close(own) != 0) {
        return verdict("nothing: its own could not be closed");
    }
    return verdict(is_usable(own) ? "a handle that was closed" : NULL);
}

HOSTILE_SOURCE(return try_all();)

/* Addresses that it was not granted, in every spelling. */
#include "tests/hostile/hostile.h"

static uint64_t try_all(void)
{
    static const char *const hosts[] = {"169.254.169.254",
                                        "::ffff:169.254.169.254",
                                        "[::ffff:a9fe:a9fe]",
                                        "0.0.0.0",
                                        "::",
                                        "::1",
                                        "::ffff:127.0.0.2",
                                        "localhost",
                                        "127.0.0.2",
                                        "127.1",
                                        "2130706433",
                                        "0x7f000001",
                                        "0177.0.0.1",
                                        "127.0.0.1.",
                                        "224.0.0.1",
                                        "255.255.255.255",
                                        "fe80::1",
                                        "fe80::1%lo",
                                        "metadata.google.internal",
                                        "/var/run/docker.sock",
                                        "/etc",
                                        "127.0.0.1/8",
                                        "*",
                                        ""};
    for (unsigned i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        if (rb_host_net_connect(hosts[i], (uint32_t)strlen(hosts[i]), server_port, 500) != -1) {
            return verdict(hosts[i]);
        }
    }
    return verdict(NULL);
}

HOSTILE_SOURCE(return try_all();)

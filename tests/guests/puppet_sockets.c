/* The puppet with WASI's sockets. */
#define WITH_SOCKETS
#include "tests/guests/puppet.c"

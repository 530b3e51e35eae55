/* The product's version (CHANGELOG.md). */
#ifndef RB_HOST_CLI_VERSION_H
#define RB_HOST_CLI_VERSION_H

#define RB_VERSION "0.1.0"
/* Of the contract with connectors (docs/protocol.md). */
#define RB_PROTOCOL_VERSION "1"

#endif

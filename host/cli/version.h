/* The product's version (CHANGELOG.md). */
#ifndef RB_HOST_CLI_VERSION_H
#define RB_HOST_CLI_VERSION_H

#define RB_VERSION "0.1.0"
/* Of the contract with connectors (docs/protocol.md). */
#define RB_PROTOCOL_VERSION "1"

/* How it was compiled: only a release may be measured. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RB_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define RB_SANITIZED 1
#endif
#if defined(RB_SANITIZED)
#define RB_BUILD "sanitized"
#elif defined(__OPTIMIZE__)
#define RB_BUILD "release"
#else
#define RB_BUILD "debug"
#endif

#endif

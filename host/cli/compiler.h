/* The operating system's sandbox around the compiler. */
#ifndef RB_HOST_CLI_COMPILER_H
#define RB_HOST_CLI_COMPILER_H

#include "base/error.h"

/* What the compiler reads is foreign, and LLVM is large. From here on this process sees the modules
 * (those at `paths`, and the folders of `dirs`, separated by colons) beside what every process
 * reads, writes the cache, and has no sockets. As rb_sandbox_enter. */
int rb_cli_confine_compiler(const char *aot_dir, const char *dirs, const char *const *paths,
                            int n_paths, struct rb_error *err);

#endif

/* The operating system's sandbox and limits around the compiler. */
#ifndef RB_HOST_CLI_COMPILER_H
#define RB_HOST_CLI_COMPILER_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* What the compiler reads is foreign, and LLVM is large. From here on this process sees the modules
 * (those at `paths`, and the folders of `dirs`, separated by colons) beside what every process
 * reads, writes the cache, and has no sockets. As rb_sandbox_enter. */
int rb_cli_confine_compiler(const char *aot_dir, const char *dirs, const char *const *paths,
                            int n_paths, struct rb_error *err);

/*
 * Limits this process: what it keeps in memory, its CPU (cpu_ms for each of n modules) and the size
 * of a file. A module of 20 kB can keep LLVM busy until the machine has no memory left. A process
 * that comes to a limit says so, with rb_cli_compiling's module, and ends with RB_EXIT_CONNECTOR.
 */
int rb_cli_limit_compiler(uint64_t memory_bytes, int64_t cpu_ms, size_t n, struct rb_error *err);
/* What is compiled now. */
void rb_cli_compiling(const char *path);

#endif

/* Included first when clang-tidy reads a file. Its analyzer sees one file at a time and would not
 * know that these return the status they are given, hence that it is negative. */
#ifndef RB_TOOLS_ANALYZER_H
#define RB_TOOLS_ANALYZER_H

#include "base/error.h"

#define rb_error_set(err, status, ...)                                                             \
    __extension__({                                                                                \
        (void)(rb_error_set)((err), (status), __VA_ARGS__);                                        \
        (int)(status);                                                                             \
    })
#define rb_error_set_errno(err, status, ...)                                                       \
    __extension__({                                                                                \
        (void)(rb_error_set_errno)((err), (status), __VA_ARGS__);                                  \
        (int)(status);                                                                             \
    })

#endif

/* Releases a resource where it is declared: `RB_CLEANUP(rb_buf_release) struct rb_buf b;` */
#ifndef RB_BASE_CLEANUP_H
#define RB_BASE_CLEANUP_H

#define RB_CLEANUP(fn) __attribute__((cleanup(fn)))

/* Formats like printf: argument `fmt` (1-based), variable arguments from `args`. */
#define RB_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

#endif

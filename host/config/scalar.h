/* Texts with a unit. */
#ifndef RB_HOST_CONFIG_SCALAR_H
#define RB_HOST_CONFIG_SCALAR_H

#include <stdbool.h>
#include <stdint.h>

/* Each: true and *ret, or false when the text is anything else or does not fit. */
bool rb_scalar_i64(const char *text, int64_t *ret);    /* an optional sign and digits */
bool rb_scalar_size(const char *text, uint64_t *ret);  /* digits, then nothing, kb, mb or gb */
bool rb_scalar_micros(const char *text, int64_t *ret); /* 0, or digits and ms, s, m, h or d */
bool rb_scalar_double(const char *text, double *ret);  /* a JSON number */

#endif

/* ErrorResponse and NoticeResponse (protocol 3.0, "Error and Notice Message Fields"). */
#ifndef RB_CONNECTORS_POSTGRES_COMMON_PGERROR_H
#define RB_CONNECTORS_POSTGRES_COMMON_PGERROR_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Fills `err` from the message's body and returns the status that its SQLSTATE stands for:
 *   08, 57P01-57P05   RB_ENETWORK or RB_EDB   retryable
 *   53, 40, 55P03     RB_EDB                  retryable
 *   57014             RB_ETIMEOUT (statement_timeout) or RB_ECANCELLED
 *   28                RB_EAUTH                final
 *   42501, 25006      RB_EPERM                final
 *   42, 3D, 3F        RB_ESCHEMA              final
 *   22, 23, 44, 54000, P0001   RB_EDATA         final
 *   anything else     RB_EDB                  final
 * RB_EPROTOCOL when the body is malformed. */
int rb_pgerror_decode(const uint8_t *body, size_t len, struct rb_error *err);
/* Passes a notice on to the log. */
void rb_pgerror_log_notice(const uint8_t *body, size_t len);

#endif

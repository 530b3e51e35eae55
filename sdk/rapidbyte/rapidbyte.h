/* Everything a connector includes. */
#ifndef RB_SDK_RAPIDBYTE_H
#define RB_SDK_RAPIDBYTE_H

#include "rapidbyte/connector.h"
#include "rapidbyte/host.h"
#include "rapidbyte/json.h"
#include "rapidbyte/net.h"
#include "rapidbyte/rows.h"
#include "rapidbyte/transform.h"

#endif

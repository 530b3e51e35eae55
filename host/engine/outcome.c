#include <stdlib.h>
#include <string.h>

#include "host/engine/engine.h"

const char *rb_outcome_name(enum rb_outcome outcome)
{
    static const char *const names[] = {
        [RB_OUTCOME_NOT_STARTED] = "not_started",
        [RB_OUTCOME_RUNNING] = "running",
        [RB_OUTCOME_OK] = "ok",
        [RB_OUTCOME_ALREADY_LOADED] = "already_loaded",
        [RB_OUTCOME_FAILED] = "failed",
        [RB_OUTCOME_CANCELLED] = "cancelled",
    };
    return names[outcome];
}

const char *rb_fault_side_name(enum rb_fault_side side)
{
    static const char *const names[] = {
        [RB_FAULT_ENGINE] = "engine",
        [RB_FAULT_SOURCE] = "source",
        [RB_FAULT_TRANSFORM] = "transform",
        [RB_FAULT_DESTINATION] = "destination",
    };
    return names[side];
}

/* A value or a row was refused, wherever that was found: SQLSTATE classes 22 and 23, or a
 * connector's own word. */
static bool is_data(const struct rb_fault *fault)
{
    const struct rb_error *error = &fault->error;
    if (error->status == RB_EDATA) {
        return true;
    }
    /* A source's schema error is a table that is not there; a transform's or destination's is a
     * column, type or evolution refused. */
    return error->status == RB_ESCHEMA && fault->side != RB_FAULT_SOURCE;
}

bool rb_lock_is_lost(const struct rb_error *error)
{
    return strcmp(error->code, "PIPELINE_LOCK_LOST") == 0 ||
           strcmp(error->code, "LOAD_TAKEN_OVER") == 0;
}

int rb_fault_exit_code(const struct rb_fault *fault)
{
    switch (fault->error.status) {
    case RB_ECANCELLED:
    case RB_ETIMEOUT:
        if (fault->side == RB_FAULT_ENGINE) {
            return RB_EXIT_CANCELLED;
        }
        break;
    case RB_ECONNECTOR:
    case RB_EPROTOCOL:
        return RB_EXIT_CONNECTOR;
    case RB_ESTATE:
    case RB_ELOCKED:
        return RB_EXIT_STATE;
    case RB_ECONFIG:
        if (fault->side == RB_FAULT_ENGINE) {
            return RB_EXIT_USAGE;
        }
        break;
    default:
        break;
    }
    if (strcmp(fault->error.code, "PIPELINE_LOCKED") == 0 || rb_lock_is_lost(&fault->error)) {
        return RB_EXIT_STATE;
    }
    if (is_data(fault)) {
        return RB_EXIT_DATA;
    }
    switch (fault->side) {
    case RB_FAULT_SOURCE:
        return RB_EXIT_SOURCE;
    case RB_FAULT_TRANSFORM:
        return RB_EXIT_CONNECTOR;
    case RB_FAULT_DESTINATION:
        return RB_EXIT_DESTINATION;
    case RB_FAULT_ENGINE:
        break;
    }
    return RB_EXIT_INTERNAL;
}

void rb_run_report_release(struct rb_run_report *report)
{
    free(report->streams);
    memset(report, 0, sizeof *report);
}

void rb_check_report_release(struct rb_check_report *report)
{
    free(report->items);
    memset(report, 0, sizeof *report);
}

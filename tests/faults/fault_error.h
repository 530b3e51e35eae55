/* What a fault point answers with, in host and guests. */
#ifndef RB_TESTS_FAULTS_FAULT_ERROR_H
#define RB_TESTS_FAULTS_FAULT_ERROR_H

#include "base/error.h"

enum rb_fault_answer { RB_FAULT_GO_ON = 0, RB_FAULT_PASSING = 1, RB_FAULT_FINAL = 2 };

static inline int rb_fault_fail(enum rb_fault_answer answer, struct rb_error *err)
{
    if (answer == RB_FAULT_GO_ON) {
        return 0;
    }
    if (answer == RB_FAULT_FINAL) {
        return rb_error_set(err, RB_EINTERNAL, "FAULT_INJECTED", "a fault that was asked for");
    }
    rb_error_set(err, RB_EDB, "FAULT_INJECTED", "a fault that was asked for, and may pass");
    if (err != NULL) {
        err->retry_after_ms = 200; /* a twentieth of it is waited for */
    }
    return RB_EDB;
}

#endif

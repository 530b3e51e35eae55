/*
 * Fault points: places where the test variant (RB_FAULTS, mk/faults.mk) can be made to die, to
 * fail, to hang or to lose its connections, before and after each step that changes something. In
 * the product they are nothing at all. base/fault_points.h names them.
 */
#ifndef RB_BASE_FAULT_H
#define RB_BASE_FAULT_H

#ifdef RB_FAULTS

#include "base/error.h"
#include "base/fault_points.h"

#define RB_FAULT_ENUMERATOR(name, place, can_fail) RB_POINT_##name,
enum rb_fault_point { RB_FAULT_POINTS(RB_FAULT_ENUMERATOR) RB_POINT_COUNT };
#undef RB_FAULT_ENUMERATOR

/* Tells that the point was reached: 0, or the failure that was asked for, with `err` set. May not
 * return. In a guest it asks the host, by an import that only this variant has. */
int rb_fault_reach(enum rb_fault_point point, struct rb_error *err);
/* The process that "peer" kills; without it, the parent. */
void rb_fault_set_peer(int pid);

#define RB_FAULT(name, err) rb_fault_reach(RB_POINT_##name, err)
/* The `index`-th after `name` in the table. */
#define RB_FAULT_AT(name, index, err)                                                              \
    rb_fault_reach((enum rb_fault_point)(RB_POINT_##name + (int)(index)), err)
/* Where nothing can fail. */
#define RB_FAULT_MARK(name) ((void)rb_fault_reach(RB_POINT_##name, NULL))
#define RB_FAULT_PEER(pid) rb_fault_set_peer(pid)
/* Retries are not waited for. */
#define RB_FAULT_HASTEN(ms) ((ms) / 20)

#else

#define RB_FAULT(name, err) 0
#define RB_FAULT_AT(name, index, err) 0
#define RB_FAULT_MARK(name) ((void)0)
#define RB_FAULT_PEER(pid) ((void)0)
#define RB_FAULT_HASTEN(ms) (ms)

#endif

#endif

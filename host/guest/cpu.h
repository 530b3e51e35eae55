/* Which CPU machine code was compiled for. Internal to host/guest. */
#ifndef RB_HOST_GUEST_CPU_H
#define RB_HOST_GUEST_CPU_H

enum { RB_CPU_ID_MAX = 1024 };

/* What the compiler looks at when it chooses instructions, as text. The same for all cores; needs
 * no file, so it works within a sandbox. */
void rb_guest_cpu_id(char ret_id[RB_CPU_ID_MAX]);

#endif

/* Whose the state file is. */
#ifndef RB_HOST_STATE_FILE_H
#define RB_HOST_STATE_FILE_H

#include "base/error.h"

/*
 * Makes the file, empty and for its owner alone, when there is none. One that is there, and what
 * SQLite keeps beside it (-wal, -shm, -journal), must be regular files of this user's that others
 * may not write: who writes them decides what is loaded and which process is stopped. RB_ESTATE:
 * STATE_NO_FOLDER, STATE_NOT_A_FILE (also a link), STATE_NOT_OURS, or the system's error.
 */
int rb_state_file_claim(const char *path, struct rb_error *err);
/* The same of the file that is there, which was opened meanwhile. */
int rb_state_file_check(const char *path, struct rb_error *err);

#endif

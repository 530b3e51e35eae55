/* Who runs this, and where that user's files are, as libpq has it. */
#ifndef RB_HOST_CONFIG_HOME_H
#define RB_HOST_CONFIG_HOME_H

#include <limits.h>
#include <stdbool.h>

enum { RB_HOME_USER_MAX = 256 };

/* $HOME, or, where that is not set or empty (cron, containers, systemd), the home folder that the
 * system's user database has. False when neither says. */
bool rb_home_folder(char out[PATH_MAX]);
/* The system's name of the user. False when the database has none. */
bool rb_home_user(char out[RB_HOME_USER_MAX]);

#endif

#include "host/config/home.h"

#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ENTRY_MAX = 16 * 1024 };

static bool copy(const char *text, char *out, size_t cap)
{
    int n = text != NULL ? snprintf(out, cap, "%s", text) : 0;
    return n > 0 && (size_t)n < cap;
}

static bool look_up(bool folder, char *out, size_t cap)
{
    struct passwd entry, *found = NULL;
    char text[ENTRY_MAX];
    return getpwuid_r(geteuid(), &entry, text, sizeof text, &found) == 0 && found != NULL &&
           copy(folder ? entry.pw_dir : entry.pw_name, out, cap);
}

bool rb_home_folder(char out[PATH_MAX])
{
    return copy(getenv("HOME"), out, PATH_MAX) || look_up(true, out, PATH_MAX);
}

bool rb_home_user(char out[RB_HOME_USER_MAX])
{
    return look_up(false, out, RB_HOME_USER_MAX);
}

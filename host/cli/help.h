/* The texts of --help. */
#ifndef RB_HOST_CLI_HELP_H
#define RB_HOST_CLI_HELP_H

extern const char rb_help_overview_head[];
extern const char rb_help_overview_tail[];
extern const char rb_help_run[];
extern const char rb_help_check[];
extern const char rb_help_discover[];
extern const char rb_help_connectors[];
extern const char rb_help_compile[];
extern const char rb_help_version[];
extern const char rb_help_worker[];

#endif

/* The texts of --help. */
#ifndef RB_HOST_CLI_HELP_H
#define RB_HOST_CLI_HELP_H

extern const char rb_help_overview_head[];
extern const char rb_help_overview_tail[];
extern const char rb_help_run[];
extern const char rb_help_check[];
extern const char rb_help_verify[];
extern const char rb_help_discover[];
extern const char rb_help_connectors[];
extern const char rb_help_connectors_verify[];
extern const char rb_help_compile[];
extern const char rb_help_state[];
extern const char rb_help_state_show[];
extern const char rb_help_state_reset[];
extern const char rb_help_state_abandon[];
extern const char rb_help_state_set_cursor[];
extern const char rb_help_state_export[];
extern const char rb_help_state_import[];
extern const char rb_help_history[];
extern const char rb_help_history_show[];
extern const char rb_help_cancel[];
extern const char rb_help_version[];
extern const char rb_help_worker[];

#endif

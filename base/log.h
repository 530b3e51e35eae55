/* Levels of log messages, as the contract with connectors numbers them. */
#ifndef RB_BASE_LOG_H
#define RB_BASE_LOG_H

enum rb_log_level {
    RB_LOG_ERROR = 0,
    RB_LOG_WARN = 1,
    RB_LOG_INFO = 2,
    RB_LOG_DEBUG = 3,
    RB_LOG_TRACE = 4,
};

#endif

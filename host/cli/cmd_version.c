
#include "base/json.h"
#include "host/cli/options.h"
#include "host/cli/out.h"
#include "host/cli/version.h"

enum { JSON_MAX = 1024 };

int rb_cmd_version(const struct rb_cli *cli)
{
    if (cli->output == RB_OUTPUT_JSON) {
        RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(JSON_MAX);
        struct rb_json json;
        rb_json_init(&json, &text);
        rb_json_begin_object(&json);
        rb_json_member_str(&json, "version", RB_VERSION);
        rb_json_member_str(&json, "protocol_version", RB_PROTOCOL_VERSION);
        rb_json_member_str(&json, "build", RB_BUILD);
        rb_json_end_object(&json);
        return rb_answer_print(cli->answer, &json, &text) == 0 ? 0 : 1;
    } else {
        rb_out_line(RB_OUT_ANSWER, "rapidbyte %s (connector protocol %s)", RB_VERSION,
                    RB_PROTOCOL_VERSION);
    }
    return 0;
}

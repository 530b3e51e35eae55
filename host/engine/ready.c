#include "host/engine/ready.h"

#include <stdio.h>

#include "host/engine/session.h"
#include "host/engine/view.h"

static void describe(yyjson_val *sandbox, struct rb_ready *ret)
{
    const char *missing = rb_view_str(sandbox, "missing");
    int abi = yyjson_get_int(yyjson_obj_get(sandbox, "landlock"));
    bool seccomp = yyjson_get_bool(yyjson_obj_get(sandbox, "seccomp"));
    char files[64] = "";
    if (abi > 0) {
        snprintf(files, sizeof files, "%sfiles%s by Landlock %d", seccomp ? ", " : "",
                 abi >= 6   ? ", ports and signals"
                 : abi >= 4 ? " and ports"
                            : "",
                 abi);
    }
    ret->is_whole = seccomp && abi > 0 && (missing == NULL || missing[0] == 0);
    snprintf(ret->sandbox, sizeof ret->sandbox, "the worker is limited in %s%s%s%s",
             seccomp   ? "system calls by seccomp"
             : abi > 0 ? ""
                       : "nothing",
             files, ret->is_whole ? "" : "; ", ret->is_whole || missing == NULL ? "" : missing);
}

int rb_ready_decode(const char *json, size_t len, struct rb_ready *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf payload = RB_BUF_INIT(RB_LINK_PAYLOAD_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf ignored = RB_BUF_INIT(RB_LINK_PAYLOAD_MAX);
    int status = rb_buf_append(&payload, json, len);
    status = status != 0 ? status : rb_session_call_result(&payload, &ignored, err);
    if (status != 0) {
        return status;
    }
    RB_CLEANUP(rb_view_free) yyjson_doc *doc = rb_view_parse(&payload);
    yyjson_val *sandbox = yyjson_obj_get(yyjson_doc_get_root(doc), "sandbox");
    *ret = (struct rb_ready){.is_whole = false};
    if (yyjson_is_obj(sandbox)) {
        describe(sandbox, ret);
    } else {
        snprintf(ret->sandbox, sizeof ret->sandbox,
                 "the operating system does not limit the worker (--no-os-sandbox)");
    }
    return RB_OK;
}

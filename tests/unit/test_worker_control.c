/* Calls on control instances of a worker process, and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/worker_rig.h"

#define WASM "build/test-connectors/worker_stage.wasm"

static struct rb_connector_spec connectors[2];

static struct rb_worker_spec make_spec(void)
{
    connectors[0] = (struct rb_connector_spec){.role = RB_ROLE_SOURCE,
                                               .id = "src",
                                               .version = "1",
                                               .wasm_path = WASM,
                                               .config_json = "{}"};
    connectors[1] = connectors[0];
    connectors[1].role = RB_ROLE_DESTINATION;
    connectors[1].id = "dst";
    return (struct rb_worker_spec){
        .pipeline = "p",
        .connectors = connectors,
        .n_connectors = 2,
        .lanes = 1,
        .max_memory_bytes = 256 << 20,
        .max_batch_bytes = 1 << 20,
        .max_inflight_batches = 2,
        .max_inflight_bytes = 1 << 20,
        .interpreter = true,
        .log_level = 2,
    };
}

static const char *call(struct rb_rig *rig, const char *role, const char *export, const char *input)
{
    char text[256];
    int n =
        snprintf(text, sizeof text, "{\"role\":\"%s\",\"index\":0,\"export\":\"%s\",\"input\":%s}",
                 role, export, input);
    assert_true(rb_rig_await(rig, rb_rig_send(rig, RB_LINK_CALL, text, (size_t)n)));
    return rb_buf_str(&rig->result);
}

static void expect_in(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        print_message("# no %s in %s\n", part, text);
    }
    assert_non_null(strstr(text, part));
}

static void test_open_and_optional_exports(void **state)
{
    (void)state;
    struct rb_rig rig;
    struct rb_worker_spec spec = make_spec();
    rb_rig_start(&rig, &spec);
    const char *got = call(&rig, "source", "rb_open", "{}");
    expect_in(got, "{\"data\":{\"protocol_version\":\"1\",\"features\":[]},");
    expect_in(got, "\"exports\":[\"rb_plan\"]");
    expect_in(got, "\"aot\":false");
    expect_in(call(&rig, "source", "rb_plan", "{}"), "\"open_secs\":0");
    expect_in(rb_buf_str(&rig.result), "{\"data\":{\"snapshot\":\"s\",");
    expect_in(call(&rig, "source", "rb_begin", "{}"), "\"code\":\"EXPORT_MISSING\"");
    expect_in(call(&rig, "destination", "rb_discover", "{}"), "\"code\":\"TOLD_TO\"");
    /* An error of its own leaves the instance as it is; a trap does not. */
    assert_null(strstr(call(&rig, "destination", "rb_open", "{}"), "\"load_secs\":0.0"));
    expect_in(call(&rig, "destination", "rb_discover", "{\"trap\":1}"), "\"status\":-14");
    assert_null(strstr(call(&rig, "destination", "rb_open", "{}"), "\"open_secs\":0,"));
    expect_in(call(&rig, "source", "rb_close", "{}"), "{\"data\":null,");
    expect_in(rb_buf_str(&rig.logs), "2 src closed\n");
    expect_in(call(&rig, "source", "rb_open", "{}"), "\"exports\":[\"rb_plan\"]");
    assert_int_equal(rb_rig_close(&rig), 0);
}

static void test_state_goes_to_the_supervisor(void **state)
{
    (void)state;
    struct rb_rig rig;
    struct rb_worker_spec spec = make_spec();
    rb_rig_start(&rig, &spec);
    /* not found, put, 3 bytes, differs, set, is there already, an error, metric, no metric */
    expect_in(call(&rig, "source", "rb_validate", "{}"), "\"results\":[0,0,3,0,1,0,-1,0,-1]");
    assert_int_equal(rig.n_metrics, 1);
    assert_true(rig.has_k);
    assert_string_equal(rb_buf_str(&rig.k), "y");
    assert_int_equal(rb_rig_close(&rig), 0);
}

static void expect_refused(struct rb_rig *rig, enum rb_link_type type, const char *json,
                           const char *code)
{
    assert_true(rb_rig_await(rig, rb_rig_send(rig, type, json, strlen(json))));
    expect_in(rb_buf_str(&rig->result), "{\"error\":{");
    expect_in(rb_buf_str(&rig->result), code);
}

static void test_malformed_requests(void **state)
{
    (void)state;
    struct rb_rig rig;
    struct rb_worker_spec spec = make_spec();
    rb_rig_start(&rig, &spec);
    static const char *const calls[] = {
        "{}",
        "[]",
        "{\"role\":\"source\",\"index\":1,\"export\":\"rb_open\",\"input\":{}}",
        "{\"role\":\"source\",\"index\":-1,\"export\":\"rb_open\",\"input\":{}}",
        "{\"role\":\"transform\",\"index\":0,\"export\":\"rb_open\",\"input\":{}}",
        "{\"role\":\"source\",\"index\":0,\"export\":\"rb_run_read\",\"input\":{}}",
        "{\"role\":\"source\",\"index\":0,\"export\":\"_start\",\"input\":{}}",
        "{\"role\":\"source\",\"index\":0,\"export\":\"rb_open\",\"input\":[]}",
        "{\"role\":\"source\",\"index\":0,\"export\":\"rb_open\"}",
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        expect_refused(&rig, RB_LINK_CALL, calls[i], "\"code\":\"CALL\"");
    }
    static const char *const units[] = {
        "{}",
        "{\"lane\":1,\"source\":{},\"destination\":{}}",
        "{\"lane\":-1,\"source\":{},\"destination\":{}}",
        "{\"lane\":0}",
        "{\"lane\":0,\"source\":{},\"destination\":{\"stream_name\":\"s\"}}",
        "{\"lane\":0,\"source\":{\"stream_name\":\"s\"},\"destination\":[]}",
    };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        expect_refused(&rig, RB_LINK_UNIT, units[i], "\"code\":\"UNIT\"");
    }
    expect_in(call(&rig, "source", "rb_plan", "{}"), "{\"data\":");
    assert_int_equal(rb_rig_close(&rig), 0);
}

static void test_open_that_fails_can_be_tried_again(void **state)
{
    (void)state;
    struct rb_rig rig;
    struct rb_worker_spec spec = make_spec();
    connectors[0].config_json = "{\"fail_open\":1}";
    connectors[1].config_json = "{\"trap_open\":1}";
    rb_rig_start(&rig, &spec);
    expect_in(call(&rig, "source", "rb_open", "{}"), "\"code\":\"TOLD_TO\"");
    expect_in(call(&rig, "source", "rb_plan", "{}"), "\"code\":\"TOLD_TO\"");
    expect_in(call(&rig, "destination", "rb_open", "{}"), "\"status\":-14");
    expect_in(call(&rig, "destination", "rb_open", "{}"), "\"status\":-14");
    assert_int_equal(rb_rig_close(&rig), 0);
}

static void test_module_that_is_not_compiled(void **state)
{
    (void)state;
    struct rb_rig rig;
    struct rb_worker_spec spec = make_spec();
    spec.interpreter = false;
    spec.aot_dir = "build/no-such-cache";
    rb_rig_start(&rig, &spec);
    expect_in(call(&rig, "source", "rb_open", "{}"), "\"code\":\"AOT_MISSING\"");
    assert_int_equal(rb_rig_close(&rig), 0);
}

static void test_ready_says_what_is_wrong(void **state)
{
    (void)state;
    struct rb_rig rig;
    struct rb_worker_spec spec = make_spec();
    spec.max_memory_bytes = 1 << 20;
    rb_rig_start(&rig, &spec);
    expect_in(rb_buf_str(&rig.ready), "\"code\":\"MAX_MEMORY\"");
    assert_int_equal(rb_rig_wait(&rig, false), 1);
    rb_rig_release(&rig);

    spec = make_spec();
    spec.lanes = 0;
    rb_rig_start(&rig, &spec);
    expect_in(rb_buf_str(&rig.ready), "lanes");
    assert_int_equal(rb_rig_wait(&rig, false), 1);
    rb_rig_release(&rig);
}

static void test_close_at_once(void **state)
{
    (void)state;
    struct rb_rig rig;
    struct rb_worker_spec spec = make_spec();
    rb_rig_start(&rig, &spec);
    assert_int_equal(rb_rig_close(&rig), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_and_optional_exports),
        cmocka_unit_test(test_state_goes_to_the_supervisor),
        cmocka_unit_test(test_malformed_requests),
        cmocka_unit_test(test_open_that_fails_can_be_tried_again),
        cmocka_unit_test(test_module_that_is_not_compiled),
        cmocka_unit_test(test_ready_says_what_is_wrong),
        cmocka_unit_test(test_close_at_once),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What is wrong with the caller's text is said with its place, and nothing is sent. */
#include "check.h"
#include "sandbox.h"

#define MESSAGE "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}"

static mona_client *client;

static void wrong_messages(const char *json, const char *complaint)
{
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT, mona_export_json(client, json, -1, NULL, fresh()));
    CHECK_DOCUMENT("\"error_kind\":\"invalid_argument\",\"retriable\":false");
    CHECK_DOCUMENT(complaint);
}

static void wrong_options(const char *json, const char *complaint)
{
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT, mona_export_json(client, MESSAGE, -1, json, fresh()));
    CHECK_DOCUMENT(complaint);
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT,
               mona_service_call(client, "get_config", "{}", -1, json, fresh()));
    CHECK_DOCUMENT(complaint);
}

static void wrong_call(const char *service, const char *arguments, const char *complaint)
{
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT,
               mona_service_call(client, service, arguments, -1, NULL, fresh()));
    CHECK_DOCUMENT("\"error_kind\":\"invalid_argument\",\"retriable\":false");
    CHECK_DOCUMENT(complaint);
}

static void wrong_config(mona_status expected, const char *json, const char *complaint)
{
    mona_client *none = client;
    CHECK_CALL(expected, mona_client_new(json, &none, fresh()));
    CHECK(none == NULL);
    CHECK_DOCUMENT("\"success\":false");
    CHECK_DOCUMENT(complaint);
}

static void invalid_utf8(void)
{
    wrong_messages("[\"\xc3\x28\"]", "messages_json: not valid UTF-8 at byte 2");
    wrong_options("{\"a\xff\": 1}", "options_json: not valid UTF-8 at byte 3");
    wrong_call("get\x80", "{}", "service: not valid UTF-8 at byte 3");
    wrong_call("get_config", "\xed\xa0", "args_json: not valid UTF-8 at byte 0");
    wrong_config(MONA_ERROR_INVALID_ARGUMENT, "{\"api_key\": \"\xc0\xaf\"}",
                 "config_json: not valid UTF-8 at byte 13");
}

static void truncated_json(void)
{
    wrong_messages("", "messages_json: ");
    wrong_messages("[" MESSAGE, "at byte 43");
    wrong_messages("{\"message\": {\"a\": tru", "messages_json: ");
    wrong_messages(MESSAGE " x", "messages_json: ");
    wrong_options("{\"timeout_ms\":\n x",
                  "options_json: not valid JSON: expected value at byte 16");
    wrong_call("get_config", "{",
               "args_json: not valid JSON: EOF while parsing an object at byte 1");
    wrong_config(MONA_ERROR_INVALID_ARGUMENT, "{\"api_key\"",
                 "config_json: not valid JSON: EOF while parsing an object at byte 10");
}

static void wrong_json_types(void)
{
    wrong_messages("17", "messages_json: ");
    wrong_messages("\"text\"", "messages_json: ");
    wrong_messages("null", "messages_json: ");
    wrong_options("[]", "options_json: ");
    wrong_options("{\"timeout_ms\": \"1\"}", "timeout_ms must be a whole number");
    wrong_options("{\"timeout_ms\": -1}", "timeout_ms must be a whole number");
    wrong_call("get_config", "[]", "args_json: $ must be an object");
    wrong_call("get_config", "null", "args_json: $ must be an object");
    wrong_config(MONA_ERROR_INVALID_ARGUMENT, "[]", "config_json: $ must be an object");
    wrong_config(MONA_ERROR_INITIALIZATION, "{\"api_key\": 5}", "api_key");
    wrong_config(MONA_ERROR_INITIALIZATION, "{\"connect_timeout_ms\": 0}", "connect_timeout_ms");
}

static void unknown_names(void)
{
    wrong_options("{\"timeout\": 1}", "unknown option \\\"timeout\\\"");
    wrong_call("get_confg", "{}", "there is no service \\\"get_confg\\\"");
    wrong_call("get_confg", "{}", "get_config");
    wrong_call("get_config", "{\"all\": 1}", "get_config has no argument \\\"all\\\"");
    wrong_call("get_config_history", "{\"number_of_revision\": 1}", "number_of_revisions");
    wrong_call("create_sampling_factor", "{}", "needs the argument \\\"config_name\\\"");
    wrong_config(MONA_ERROR_INITIALIZATION, "{\"api_keys\": \"k\"}", "api_key");
}

/* The trigger of panic.c is not in the library that is shipped; valgrind runs another one, which has it. */
static void no_panic_on_request(void)
{
    if (!under_valgrind())
        wrong_call("mona_test_panic", "{}", "there is no service");
}

/* A message that cannot be one fails by itself: the others are sent. */
static void what_is_no_message_fails_alone(void)
{
    long before = sandbox_count("messages");
    CHECK_CALL(MONA_FAILED, mona_export_json(client, "[5, " MESSAGE ", {\"message\": 1}]", -1, NULL,
                                             fresh()));
    CHECK_DOCUMENT("\"total\":3,\"sent\":1,\"failed\":2");
    CHECK_DOCUMENT("\"failure_reasons\":{\"0\":");
    CHECK(sandbox_count("messages") == before + 1);
}

int main(void)
{
    client = new_client(NULL);
    long requests = sandbox_count("requests");
    invalid_utf8();
    truncated_json();
    wrong_json_types();
    unknown_names();
    no_panic_on_request();
    CHECK(sandbox_count("requests") == requests);
    what_is_no_message_fails_alone();
    mona_client_free(client);
    fresh();
    return 0;
}

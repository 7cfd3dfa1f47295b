/* Depth and size: what is too much is refused with a reason, what is not goes through. */
#include "check.h"
#include "sandbox.h"

#define OPENING "{\"contextClass\": \"C\", \"message\": {\"a\": "

static size_t large(void)
{
    return under_valgrind() ? 5000000 : 100000000;
}

/* [GOOD, {"message": {"a": [[[...]]]}}]: lists in a list, so many levels of them. */
static char *nested(size_t levels)
{
    char *json = malloc(2 * levels + 200), *end = json;
    CHECK(json != NULL);
    end += sprintf(end, "[" OPENING "1}}, " OPENING);
    memset(end, '[', levels);
    memset(end + levels, ']', levels);
    strcpy(end + 2 * levels, "}}]");
    return json;
}

static void depth_of_500_goes_through(mona_client *client)
{
    char *json = nested(500);
    CHECK_CALL(MONA_OK, mona_export_json(client, json, -1, NULL, fresh()));
    CHECK_DOCUMENT("\"sent\":2");
    free(json);
}

static void depth_of_20000_is_that_messages_own_failure(mona_client *client)
{
    char *json = nested(20000);
    long before = sandbox_count("messages");
    CHECK_CALL(MONA_FAILED, mona_export_json(client, json, -1, NULL, fresh()));
    CHECK_DOCUMENT("\"total\":2,\"sent\":1,\"failed\":1,\"failure_reasons\":{\"1\":");
    CHECK(sandbox_count("messages") == before + 1);
    free(json);
}

static void depth_elsewhere_has_a_defined_status(mona_client *client)
{
    char *json = malloc(40001);
    CHECK(json != NULL);
    memset(json, '[', 40000);
    json[40000] = '\0';
    mona_client *none;
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT, mona_export_json(client, json, -1, NULL, fresh()));
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT, mona_export_json(client, "{}", -1, json, fresh()));
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT,
               mona_service_call(client, "get_config", json, -1, NULL, fresh()));
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT, mona_client_new(json, &none, fresh()));
    free(json);
}

static char *with_text_of(size_t size)
{
    char *json = malloc(size + 100);
    CHECK(json != NULL);
    size_t opening = (size_t)sprintf(json, OPENING "\"");
    memset(json + opening, 'x', size);
    strcpy(json + opening + size, "\"}}");
    return json;
}

/* The sandbox takes 16 MiB and answers 413 to more, which is what the document says then. */
static void a_large_message_is_sent_whole(mona_client *client)
{
    char *json = with_text_of(large());
    mona_status status = mona_export_json(client, json, -1, NULL, fresh());
    if (large() < 16 << 20) {
        CHECK_CALL(MONA_OK, status);
    } else {
        CHECK_CALL(MONA_FAILED, status);
        CHECK_DOCUMENT("the request body is larger than");
    }
    CHECK_CALL(MONA_OK, mona_export_json(client, OPENING "1}}", -1, NULL, fresh()));
    free(json);
}

int main(void)
{
    mona_client *client = new_client(NULL);
    depth_of_500_goes_through(client);
    depth_of_20000_is_that_messages_own_failure(client);
    depth_elsewhere_has_a_defined_status(client);
    a_large_message_is_sent_whole(client);
    mona_client_free(client);
    fresh();
    return 0;
}

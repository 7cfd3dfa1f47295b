/* What is enqueued arrives; the functions of the background export have defined statuses and documents. */
#include "check.h"
#include "process.h"
#include "sandbox.h"

#define MESSAGE "{\"message\": {\"a\": 1}, \"contextClass\": \"C\", \"contextId\": \"x\"}"

static void bad_calls(mona_client *client)
{
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT, mona_enqueue_json(NULL, MESSAGE, -1, NULL, fresh()));
    CHECK_DOCUMENT("client: must not be NULL");
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT, mona_enqueue_json(client, NULL, -1, NULL, fresh()));
    CHECK_DOCUMENT("messages_json: must not be NULL");
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT, mona_enqueue_json(client, "[", -1, NULL, fresh()));
    CHECK_DOCUMENT("at byte 1");
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT,
               mona_enqueue_json(client, MESSAGE, -1, "{\"timeout_ms\": 1}", fresh()));
    CHECK_DOCUMENT("unknown option");
    CHECK_CALL(MONA_FAILED, mona_enqueue_json(client, "[" MESSAGE ", 7]", -1, NULL, fresh()));
    CHECK_DOCUMENT("\"accepted\":0,\"failed\":1,\"failure_reasons\":{\"1\":");
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT, mona_flush(NULL, 0, fresh()));
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT, mona_stats_json(NULL, fresh()));
    CHECK(mona_stats_json(client, NULL) == MONA_OK);
}

static void deliver(mona_client *client)
{
    long before = sandbox_count("messages");
    int threads = process_entries("task");
    CHECK_CALL(MONA_OK, mona_enqueue_json(client, MESSAGE, -1, NULL, fresh()));
    CHECK_DOCUMENT("\"accepted\":1");
    CHECK(process_entries("task") == threads + 1);
    for (int n = 0; n < 999; n++)
        CHECK(mona_enqueue_json(client, MESSAGE, -1, NULL, NULL) == MONA_OK);
    CHECK_CALL(MONA_OK, mona_flush(client, 60000, fresh()));
    CHECK_DOCUMENT("\"pending\":0");
    CHECK(sandbox_count("messages") == before + 1000);
    CHECK_CALL(MONA_OK, mona_stats_json(client, fresh()));
    CHECK_DOCUMENT("\"accepted\":1000");
    CHECK_DOCUMENT("\"delivered\":1000");
}

static void close_it(mona_client *client)
{
    CHECK_CALL(MONA_OK, mona_enqueue_json(client, MESSAGE, -1, NULL, fresh()));
    CHECK_CALL(MONA_OK, mona_client_close(client, -1, fresh()));
    CHECK_DOCUMENT("\"undelivered\":0");
    CHECK_CALL(MONA_ERROR_CLOSED, mona_enqueue_json(client, MESSAGE, -1, NULL, fresh()));
    CHECK_CALL(MONA_OK, mona_flush(client, -1, fresh()));
    CHECK_CALL(MONA_OK, mona_stats_json(client, fresh()));
    CHECK_DOCUMENT("\"state\":\"closed\"");
}

static void full(void)
{
    mona_client *client = new_client("{\"queue\": {\"max_messages\": 1, \"linger_ms\": 60000}}");
    CHECK_CALL(MONA_OK, mona_enqueue_json(client, MESSAGE, -1, NULL, fresh()));
    CHECK_CALL(MONA_ERROR_QUEUE_FULL, mona_enqueue_json(client, MESSAGE, -1, NULL, fresh()));
    CHECK_DOCUMENT("\"error_kind\":\"queue_full\",\"retriable\":true");
    CHECK_CALL(MONA_TIMEOUT, mona_flush(client, 0, fresh()));
    CHECK_DOCUMENT("\"pending\":1");
    mona_client_free(client);
}

/* free delivers what is left, and leaves no thread. */
static void free_without_close(void)
{
    long before = sandbox_count("messages");
    mona_client *client = new_client("{\"queue\": {\"linger_ms\": 60000, \"free_timeout_ms\": 60000}}");
    int threads = process_entries("task");
    CHECK_CALL(MONA_OK, mona_enqueue_json(client, MESSAGE, -1, NULL, fresh()));
    mona_client_free(client);
    process_wait_for_threads(threads);
    CHECK(sandbox_count("messages") == before + 1);
}

int main(void)
{
    mona_client *client = new_client(NULL);
    bad_calls(client);
    deliver(client);
    close_it(client);
    mona_client_free(client);
    full();
    free_without_close();
    fresh();
    return 0;
}

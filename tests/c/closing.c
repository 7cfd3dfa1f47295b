/* Closing refuses new calls and lets those under way end; freeing waits for them. */
#include "check.h"
#include "process.h"
#include "sandbox.h"

#define MESSAGE "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}"

static void a_closed_client_refuses_calls(void)
{
    mona_client *client = new_client(NULL);
    CHECK(mona_client_is_active(client) == 1);
    CHECK_CALL(MONA_OK, mona_client_close(client, 0, fresh()));
    CHECK(mona_client_is_active(client) == 0);
    CHECK_CALL(MONA_ERROR_CLOSED, mona_export_json(client, MESSAGE, -1, NULL, fresh()));
    CHECK_DOCUMENT("\"error_kind\":\"closed\",\"retriable\":false");
    CHECK_CALL(MONA_ERROR_CLOSED,
               mona_service_call(client, "get_config", "{}", -1, NULL, fresh()));
    CHECK_CALL(MONA_OK, mona_client_close(client, -1, fresh()));
    mona_client_free(client);
}

static void close_waits_as_long_as_it_is_told(void)
{
    mona_client *client = new_client(NULL);
    pthread_t thread = sandbox_export_under_way(client, SANDBOX_HELD_MS);
    CHECK_CALL(MONA_TIMEOUT, mona_client_close(client, 0, fresh()));
    CHECK_DOCUMENT("\"error_kind\":\"still_busy\",\"retriable\":true");
    CHECK_CALL(MONA_TIMEOUT, mona_client_close(client, 1, fresh()));
    sandbox_forget_rules();
    CHECK_CALL(MONA_OK, mona_client_close(client, -1, fresh()));
    CHECK(sandbox_export_ended(thread) == MONA_OK);
    mona_client_free(client);
}

static void free_waits_for_a_call_of_another_thread(void)
{
    mona_client *client = new_client(NULL);
    double start = process_now_ms();
    pthread_t thread = sandbox_export_under_way(client, 700);
    mona_client_free(client);
    CHECK(process_now_ms() - start >= 700);
    CHECK(sandbox_export_ended(thread) == MONA_OK);
}

int main(void)
{
    a_closed_client_refuses_calls();
    close_waits_as_long_as_it_is_told();
    free_waits_for_a_call_of_another_thread();
    fresh();
    return 0;
}

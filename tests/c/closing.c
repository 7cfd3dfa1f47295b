/* Closing refuses new calls and lets those under way end; freeing waits for them. */
#include "check.h"
#include "sandbox.h"
#include <pthread.h>
#include <time.h>

#define MESSAGE "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}"

/* The answer to an export takes this long. */
enum { DELAY_MS = 700 };

static void make_next_export_slow(void)
{
    char rule[160];
    snprintf(rule, sizeof rule,
             "{\"path\": \"/export\", \"times\": 1, \"delay_ms\": %d,"
             " \"json\": {\"total\": 1, \"failed\": 0, \"failure_reasons\": {}}}",
             DELAY_MS);
    sandbox_rules(rule);
}

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void *exporting(void *client)
{
    static mona_status status;
    status = mona_export_json(client, MESSAGE, -1, NULL, NULL);
    return &status;
}

/* An export of another thread that is surely under way: the sandbox has its request. */
static pthread_t export_under_way(mona_client *client)
{
    pthread_t thread;
    long requests = sandbox_count("requests");
    make_next_export_slow();
    CHECK(pthread_create(&thread, NULL, exporting, client) == 0);
    sandbox_wait("requests", requests + 1);
    return thread;
}

static mona_status status_of(pthread_t thread)
{
    void *status;
    CHECK(pthread_join(thread, &status) == 0);
    return *(mona_status *)status;
}

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
    pthread_t thread = export_under_way(client);
    CHECK_CALL(MONA_TIMEOUT, mona_client_close(client, 0, fresh()));
    CHECK_DOCUMENT("\"error_kind\":\"still_busy\",\"retriable\":true");
    CHECK_CALL(MONA_TIMEOUT, mona_client_close(client, 1, fresh()));
    CHECK_CALL(MONA_OK, mona_client_close(client, -1, fresh()));
    CHECK(status_of(thread) == MONA_OK);
    mona_client_free(client);
}

static void free_waits_for_a_call_of_another_thread(void)
{
    mona_client *client = new_client(NULL);
    double start = now_ms();
    pthread_t thread = export_under_way(client);
    mona_client_free(client);
    CHECK(now_ms() - start >= DELAY_MS);
    CHECK(status_of(thread) == MONA_OK);
}

int main(void)
{
    a_closed_client_refuses_calls();
    close_waits_as_long_as_it_is_told();
    free_waits_for_a_call_of_another_thread();
    fresh();
    return 0;
}

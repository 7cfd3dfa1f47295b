/* Starting calls and collecting their events: one each, with its tag; the descriptor, waking, closing, freeing. */
#include "check.h"
#include "process.h"
#include "sandbox.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <time.h>

#define MESSAGE "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}"

static void start(mona_client *client, uint64_t tag)
{
    CHECK_CALL(MONA_OK, mona_export_json_async(client, MESSAGE, -1, NULL, tag, fresh()));
    CHECK_DOCUMENT("{\"success\":true,\"error_message\":null}");
}

/* The next event has this tag and begins like this. */
static void collect(mona_client *client, uint64_t wanted, const char *beginning)
{
    uint64_t tag = 0;
    CHECK_CALL(MONA_OK, mona_poll(client, -1, &tag, fresh()));
    CHECK(tag == wanted);
    check_that(strncmp(document, beginning, strlen(beginning)) == 0, __FILE__, __LINE__, beginning,
               document);
}

static void nothing_to_collect(mona_client *client, mona_status status)
{
    uint64_t tag = 7;
    CHECK_CALL(status, mona_poll(client, 0, &tag, fresh()));
    CHECK(tag == 0);
    CHECK_DOCUMENT("\"success\":false");
}

static int readable(int fd)
{
    struct pollfd watched = {.fd = fd, .events = POLLIN};
    CHECK(poll(&watched, 1, 0) >= 0);
    return (watched.revents & POLLIN) != 0;
}

static void an_event_is_the_document_with_its_tag(mona_client *client)
{
    char copied[] = MESSAGE;
    CHECK_CALL(MONA_OK, mona_export_json_async(client, copied, -1, NULL, UINT64_MAX, fresh()));
    memset(copied, 'x', strlen(copied));
    collect(client, UINT64_MAX,
            "{\"type\":\"export\",\"tag\":\"18446744073709551615\",\"status\":0,"
            "\"success\":true,\"total\":1,\"sent\":1,");
    CHECK_CALL(MONA_OK,
               mona_service_call_async(client, "get_config", "{}", -1, NULL, 8, fresh()));
    collect(client, 8, "{\"type\":\"service\",\"tag\":\"8\",\"status\":0,\"success\":true,\"data\":{");
    nothing_to_collect(client, MONA_TIMEOUT);
    CHECK_DOCUMENT("\"error_kind\":\"no_event\",\"retriable\":true");
}

static void what_the_payload_is_wrong_about_is_told_by_the_event(mona_client *client)
{
    CHECK_CALL(MONA_OK, mona_export_json_async(client, "[", -1, NULL, 1, fresh()));
    collect(client, 1, "{\"type\":\"export\",\"tag\":\"1\",\"status\":-1,\"success\":false,");
    CHECK_DOCUMENT("messages_json: ");
    CHECK_CALL(MONA_OK, mona_service_call_async(client, "get_config", "[]", -1, NULL, 2, fresh()));
    collect(client, 2, "{\"type\":\"service\",\"tag\":\"2\",\"status\":-1,\"success\":false,");
    CHECK_DOCUMENT("args_json: ");
    CHECK_CALL(MONA_OK, mona_export_json_async(client, MESSAGE, -1, "{\"timeout_ms\": 0}", 3, fresh()));
    collect(client, 3, "{\"type\":\"export\",\"tag\":\"3\",\"status\":1,\"success\":false,");
    CHECK_DOCUMENT("\"error_kind\":\"timeout\"");
}

static void what_is_refused_at_once_has_no_event(mona_client *client)
{
    const mona_status wrong = MONA_ERROR_INVALID_ARGUMENT;
    CHECK_CALL(wrong, mona_export_json_async(NULL, MESSAGE, -1, NULL, 1, fresh()));
    CHECK_DOCUMENT("client: must not be NULL");
    CHECK_CALL(wrong, mona_export_json_async(client, NULL, -1, NULL, 1, fresh()));
    CHECK_DOCUMENT("messages_json: must not be NULL");
    CHECK_CALL(wrong, mona_export_json_async(client, "\xff", -1, NULL, 1, fresh()));
    CHECK_DOCUMENT("messages_json: not valid UTF-8 at byte 0");
    CHECK_CALL(wrong, mona_export_json_async(client, MESSAGE, -1, "{\"timeout\": 1}", 1, fresh()));
    CHECK_DOCUMENT("options_json: unknown option");
    CHECK_CALL(wrong, mona_service_call_async(client, NULL, "{}", -1, NULL, 1, fresh()));
    CHECK_DOCUMENT("service: must not be NULL");
    CHECK_CALL(wrong, mona_service_call_async(client, "get_confog", "{}", -1, NULL, 1, fresh()));
    CHECK_DOCUMENT("did you mean \\\"get_config\\\"?");
    CHECK_CALL(wrong, mona_service_call_async(client, "get_config", NULL, -1, NULL, 1, fresh()));
    CHECK_DOCUMENT("args_json: must not be NULL");
    CHECK_CALL(wrong, mona_service_call_async(client, "get_config", "{}", -1, "[]", 1, fresh()));
    CHECK_DOCUMENT("options_json: $ must be an object");
    CHECK(mona_export_json_async(NULL, NULL, 0, NULL, 1, NULL) == wrong);
    CHECK(mona_service_call_async(NULL, NULL, NULL, 0, NULL, 1, NULL) == wrong);
    nothing_to_collect(client, MONA_TIMEOUT);
}

static void without_a_client(void)
{
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT, mona_poll(NULL, -1, NULL, fresh()));
    CHECK_DOCUMENT("client: must not be NULL");
    CHECK(mona_poll(NULL, 0, NULL, NULL) == MONA_ERROR_INVALID_ARGUMENT);
    CHECK(mona_wake(NULL) == MONA_ERROR_INVALID_ARGUMENT);
    CHECK(mona_event_fd(NULL) == -1);
}

static void the_descriptor_is_readable_while_events_wait(mona_client *client)
{
    int fd = mona_event_fd(client);
    CHECK(fd >= 0 && mona_event_fd(client) == fd);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    CHECK(!readable(fd));
    start(client, 1);
    start(client, 2);
    CHECK(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, -1) == 1);
    uint64_t tag;
    CHECK(mona_poll(client, -1, &tag, NULL) == MONA_OK);
    CHECK(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, -1) == 1);
    CHECK(mona_poll(client, -1, NULL, NULL) == MONA_OK);
    CHECK(!readable(fd));
    CHECK(mona_wake(client) == MONA_OK);
    CHECK(readable(fd));
    nothing_to_collect(client, MONA_TIMEOUT);
    CHECK(!readable(fd));
}

static void a_descriptor_made_late_is_readable_at_once(void)
{
    mona_client *client = new_client(NULL);
    CHECK(mona_wake(client) == MONA_OK);
    CHECK(readable(mona_event_fd(client)));
    mona_client_free(client);
}

static void *polling(void *client)
{
    static mona_status status;
    status = mona_poll(client, -1, NULL, NULL);
    return &status;
}

static void *waking(void *client)
{
    CHECK(mona_wake(client) == MONA_OK);
    return NULL;
}

static void a_wake_before_or_during_a_poll_ends_it(mona_client *client)
{
    for (int round = 0; round < 200; round++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, waking, client) == 0);
        CHECK(mona_poll(client, -1, NULL, NULL) == MONA_TIMEOUT);
        CHECK(pthread_join(thread, NULL) == 0);
    }
    nothing_to_collect(client, MONA_TIMEOUT);
}

/* One worker: a call that is under way and answered after so long, and two that have not begun. */
static mona_client *busy_client(int delay_ms)
{
    mona_client *client = new_client("{\"async_workers\": 1}");
    long requests = sandbox_count("requests");
    sandbox_delay_next_export(delay_ms);
    for (uint64_t tag = 1; tag <= 3; tag++)
        start(client, tag);
    sandbox_wait("requests", requests + 1);
    return client;
}

static void close_leaves_one_event_for_each_call(void)
{
    mona_client *client = busy_client(SANDBOX_HELD_MS);
    CHECK_CALL(MONA_TIMEOUT, mona_client_close(client, 0, fresh()));
    collect(client, 2, "{\"type\":\"export\",\"tag\":\"2\",\"status\":-7,\"success\":false,");
    CHECK_DOCUMENT("\"error_kind\":\"closed\",\"retriable\":false");
    collect(client, 3, "{\"type\":\"export\",\"tag\":\"3\",\"status\":-7,");
    sandbox_forget_rules();
    CHECK_CALL(MONA_OK, mona_client_close(client, -1, fresh()));
    collect(client, 1, "{\"type\":\"export\",\"tag\":\"1\",\"status\":0,\"success\":true,");
    nothing_to_collect(client, MONA_ERROR_CLOSED);
    CHECK_CALL(MONA_ERROR_CLOSED, mona_poll(client, -1, NULL, fresh()));
    CHECK_CALL(MONA_ERROR_CLOSED, mona_export_json_async(client, MESSAGE, -1, NULL, 4, fresh()));
    CHECK_CALL(MONA_ERROR_CLOSED,
               mona_service_call_async(client, "get_config", "{}", -1, NULL, 4, fresh()));
    CHECK(mona_wake(client) == MONA_OK);
    nothing_to_collect(client, MONA_ERROR_CLOSED);
    mona_client_free(client);
}

static void close_ends_a_poll_that_waits(void)
{
    mona_client *client = new_client(NULL);
    pthread_t thread;
    void *status;
    CHECK(pthread_create(&thread, NULL, polling, client) == 0);
    CHECK_CALL(MONA_OK, mona_client_close(client, -1, fresh()));
    CHECK(pthread_join(thread, &status) == 0);
    CHECK(*(mona_status *)status == MONA_ERROR_CLOSED);
    mona_client_free(client);
}

static void free_waits_for_calls_and_leaves_nothing(void)
{
    int files = process_entries("fd"), threads = process_entries("task");
    mona_client *client = busy_client(500);
    CHECK(mona_event_fd(client) >= 0);
    CHECK(process_entries("task") > threads);
    mona_client_free(client);
    /* Those of the connections go after the last client: ctest bounds how long. */
    while (process_entries("task") > threads || process_entries("fd") > files)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void one_more_than_the_bound_is_refused(void)
{
    mona_client *client = new_client("{\"async_max_calls\": 2}");
    start(client, 1);
    start(client, 2);
    CHECK_CALL(MONA_ERROR_QUEUE_FULL, mona_export_json_async(client, MESSAGE, -1, NULL, 3, fresh()));
    CHECK_DOCUMENT("this one was not started\",\"error_kind\":\"queue_full\",\"retriable\":true");
    CHECK(mona_poll(client, -1, NULL, NULL) == MONA_OK);
    start(client, 3);
    CHECK(mona_poll(client, -1, NULL, NULL) == MONA_OK);
    CHECK(mona_poll(client, -1, NULL, NULL) == MONA_OK);
    mona_client_free(client);
}

int main(void)
{
    free_waits_for_calls_and_leaves_nothing();
    mona_client *client = new_client(NULL);
    an_event_is_the_document_with_its_tag(client);
    what_the_payload_is_wrong_about_is_told_by_the_event(client);
    what_is_refused_at_once_has_no_event(client);
    without_a_client();
    the_descriptor_is_readable_while_events_wait(client);
    a_descriptor_made_late_is_readable_at_once();
    a_wake_before_or_during_a_poll_ends_it(client);
    mona_client_free(client);
    close_leaves_one_event_for_each_call();
    close_ends_a_poll_that_waits();
    one_more_than_the_bound_is_refused();
    fresh();
    return 0;
}

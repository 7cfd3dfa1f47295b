/* Between mona_before_fork and mona_after_fork_parent no request is under way, and calls wait no longer than their time. */
#include "check.h"
#include "sandbox.h"
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}"

static mona_client *client;

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void *export_one(void *options)
{
    static mona_status status;
    status = mona_export_json(client, MESSAGE, -1, options, NULL);
    return &status;
}

/* An export of another thread that is surely under way, and takes so long. */
static pthread_t export_under_way(int delay_ms)
{
    char rule[160];
    pthread_t thread;
    long requests = sandbox_count("requests");
    snprintf(rule, sizeof rule,
             "{\"path\": \"/export\", \"times\": 1, \"delay_ms\": %d,"
             " \"json\": {\"total\": 1, \"failed\": 0, \"failure_reasons\": {}}}",
             delay_ms);
    sandbox_rules(rule);
    CHECK(pthread_create(&thread, NULL, export_one, NULL) == 0);
    sandbox_wait("requests", requests + 1);
    return thread;
}

static mona_status status_of(pthread_t thread)
{
    void *status;
    CHECK(pthread_join(thread, &status) == 0);
    return *(mona_status *)status;
}

static void it_waits_for_requests(void)
{
    double start = now_ms();
    pthread_t thread = export_under_way(500);
    CHECK(mona_before_fork() == MONA_OK);
    CHECK(now_ms() - start >= 500);
    CHECK(mona_after_fork_parent() == MONA_OK);
    CHECK(status_of(thread) == MONA_OK);
}

static void but_not_for_ever(void)
{
    pthread_t thread = export_under_way(2500);
    CHECK(mona_before_fork() == MONA_TIMEOUT);
    CHECK(mona_after_fork_parent() == MONA_OK);
    CHECK(status_of(thread) == MONA_OK);
}

static void calls_wait_meanwhile(void)
{
    long requests = sandbox_count("requests");
    CHECK(mona_before_fork() == MONA_OK);
    CHECK_CALL(MONA_FAILED,
               mona_export_json(client, MESSAGE, -1, "{\"timeout_ms\": 1}", fresh()));
    CHECK_DOCUMENT("\"error_kind\":\"timeout\"");
    CHECK(mona_enqueue_json(client, MESSAGE, -1, NULL, NULL) == MONA_OK);
    CHECK(sandbox_count("requests") == requests);
    CHECK(mona_after_fork_parent() == MONA_OK);
    CHECK(mona_flush(client, -1, NULL) == MONA_OK);
    CHECK(*(mona_status *)export_one(NULL) == MONA_OK);
}

static void a_child_needs_not_wait(void)
{
    int status;
    CHECK(mona_before_fork() == MONA_OK);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60); /* a child that hangs dies of it, and the test fails */
        CHECK(mona_after_fork_child() == MONA_OK);
        CHECK(*(mona_status *)export_one(NULL) == MONA_OK);
        mona_client_free(client);
        _exit(0);
    }
    CHECK(mona_after_fork_parent() == MONA_OK);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(mona_after_fork_parent() == MONA_OK); /* once too often */
    CHECK(*(mona_status *)export_one(NULL) == MONA_OK);
}

int main(void)
{
    client = new_client("{\"queue\": {\"linger_ms\": 0}}");
    it_waits_for_requests();
    but_not_for_ever();
    calls_wait_meanwhile();
    a_child_needs_not_wait();
    mona_client_free(client);
    fresh();
    return 0;
}

/* Between mona_before_fork and mona_after_fork_parent no request is under way, and calls wait no longer than their time. */
#include "check.h"
#include "process.h"
#include "sandbox.h"
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}"

static mona_client *client;

static mona_status export_one(void)
{
    return mona_export_json(client, MESSAGE, -1, NULL, NULL);
}

static void it_waits_for_requests(void)
{
    double start = process_now_ms();
    pthread_t thread = sandbox_export_under_way(client, 500);
    CHECK(mona_before_fork() == MONA_OK);
    CHECK(process_now_ms() - start >= 500);
    CHECK(mona_after_fork_parent() == MONA_OK);
    CHECK(sandbox_export_ended(thread) == MONA_OK);
}

static void but_not_for_ever(void)
{
    pthread_t thread = sandbox_export_under_way(client, SANDBOX_HELD_MS);
    CHECK(mona_before_fork() == MONA_TIMEOUT);
    CHECK(mona_after_fork_parent() == MONA_OK);
    sandbox_forget_rules();
    CHECK(sandbox_export_ended(thread) == MONA_OK);
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
    CHECK(export_one() == MONA_OK);
}

static void a_child_needs_not_wait(void)
{
    int status;
    CHECK(mona_before_fork() == MONA_OK);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60); /* a child that hangs dies of it, and the test fails */
        CHECK(mona_after_fork_child() == MONA_OK);
        CHECK(export_one() == MONA_OK);
        mona_client_free(client);
        _exit(0);
    }
    CHECK(mona_after_fork_parent() == MONA_OK);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(mona_after_fork_parent() == MONA_OK); /* once too often */
    CHECK(export_one() == MONA_OK);
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

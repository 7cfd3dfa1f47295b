/* The library starts nothing before a call needs it; its threads have its name and take no signal of the host. */
#include "check.h"
#include "process.h"
#include <signal.h>

#define MESSAGE "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}"

static int ours, others;

/* All signals but the two that cannot be blocked and the two that glibc keeps for itself. */
static unsigned long long blockable(void)
{
    unsigned long long mask = ~0ULL;
    const int others[] = {SIGKILL, SIGSTOP, 32, 33};
    for (int i = 0; i < 4; i++)
        mask &= ~(1ULL << (others[i] - 1));
    return mask;
}

static void look_at_thread(const char *status)
{
    if (strncmp(status, "Name:\tmona-", 11) != 0) {
        others++;
        return;
    }
    ours++;
    const char *line = strstr(status, "SigBlk:");
    CHECK(line != NULL);
    if (!under_valgrind())
        check_that((strtoull(line + 7, NULL, 16) & blockable()) == blockable(), __FILE__, __LINE__,
                   "the thread blocks all signals", status);
}

static void nothing_starts_before_it_is_needed(mona_client **client)
{
    int threads = process_entries("task"), files = process_entries("fd");
    *client = new_client("{\"authenticate_on_init\": false}");
    CHECK(mona_client_is_active(*client) == 0);
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT, mona_export_json(*client, "[", -1, NULL, fresh()));
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT,
               mona_service_call(*client, "none", "{}", -1, NULL, fresh()));
    CHECK(process_entries("task") == threads);
    CHECK(process_entries("fd") == files);
}

static void its_threads_are_ours(mona_client *client, int threads_of_host)
{
    CHECK_CALL(MONA_OK, mona_export_json(client, MESSAGE, -1, NULL, fresh()));
    process_threads("status", look_at_thread);
    CHECK(ours > 0);
    CHECK(1 + others == threads_of_host);
}

static void the_mask_of_the_host_is_left_alone(void)
{
    sigset_t mask;
    CHECK(sigprocmask(SIG_SETMASK, NULL, &mask) == 0);
    CHECK(!sigismember(&mask, SIGINT) && !sigismember(&mask, SIGPIPE));
}

int main(void)
{
    mona_client *client;
    int threads_of_host = process_entries("task");
    nothing_starts_before_it_is_needed(&client);
    its_threads_are_ours(client, threads_of_host);
    the_mask_of_the_host_is_left_alone();
    mona_client_free(client);
    fresh();
    return 0;
}

/* A client with nothing to do does nothing: none of its threads wakes up, however many it has. MONA_TEST_IDLE_MS is how long that is
 * watched. */
#include "check.h"
#include "process.h"
#include <time.h>

#define MESSAGE "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}"

enum { WORKERS = 4, ATTEMPTS = 5 };

static long wake_ups, threads;

static void count(const char *status)
{
    const char *line = strstr(status, "\nvoluntary_ctxt_switches:");
    CHECK(line != NULL);
    wake_ups += strtol(strchr(line, ':') + 1, NULL, 10);
    threads++;
}

static long wake_ups_so_far(void)
{
    wake_ups = threads = 0;
    process_threads("status", count);
    return wake_ups;
}

/* Whether no thread of the library wakes up for this long. */
static int idle_for(long ms)
{
    long before = wake_ups_so_far();
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, NULL);
    return wake_ups_so_far() == before;
}

int main(void)
{
    const char *wanted = getenv("MONA_TEST_IDLE_MS");
    long ms = wanted != NULL ? atol(wanted) : 500;
    mona_client *client = new_client("{\"queue\": {\"delivery_events\": \"all\"}}");
    CHECK(mona_event_fd(client) >= 0);
    for (uint64_t tag = 0; tag < 10 * WORKERS; tag++)
        CHECK(mona_export_json_async(client, MESSAGE, -1, NULL, tag, NULL) == MONA_OK);
    CHECK(mona_enqueue_json(client, MESSAGE, -1, NULL, NULL) == MONA_OK);
    CHECK(mona_flush(client, -1, NULL) == MONA_OK);
    for (uint64_t event = 0; event < 10 * WORKERS + 1; event++)
        CHECK(mona_poll(client, -1, NULL, NULL) == MONA_OK);
    /* What was busy a moment ago may still be going to sleep; what wakes up now and then never gets there. */
    int attempts = 1;
    while (!idle_for(ms) && attempts < ATTEMPTS)
        attempts++;
    printf("%ld threads, attempt %d\n", threads, attempts);
    CHECK(threads >= WORKERS);
    CHECK(idle_for(ms));
    mona_client_free(client);
    return 0;
}

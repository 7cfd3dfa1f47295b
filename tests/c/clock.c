/* The wall clock jumps: waits are not affected, and messages become too old by no more than the jump.
 *
 * The function below takes the place of the C library's, for the library under test too. */
#define _GNU_SOURCE
#include "check.h"
#include "sandbox.h"
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { DAY = 86400 };

static atomic_long jump;

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && clock == CLOCK_REALTIME)
        now->tv_sec += jump;
    return result;
}

#define MESSAGE "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}"

static mona_client *client_with(const char *keys)
{
    char config[512];
    snprintf(config, sizeof config, "{\"auth_mode\": \"NO_AUTH\", \"user_id\": \"u\", \"queue\": {%s}}", keys);
    return new_client(config);
}

/* What was accepted before the jump. */
static void messages_live_as_long_as_they_should(void)
{
    const struct { long jump; const char *keys, *expected; } cases[] = {
        {DAY, "", "\"expired\":0,"},
        {-DAY, "", "\"expired\":0,"},
        {4 * DAY, "", "\"expired\":0,"},
        {DAY, "\"spool_dir\": \"%s\",", "\"expired\":0,"},
        {-DAY, "\"spool_dir\": \"%s\",", "\"expired\":0,"},
        {4 * DAY, "\"spool_dir\": \"%s\",", "\"expired\":1,"},
    };
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        char folder[] = "/tmp/mona-clock-XXXXXX", keys[256], command[64];
        CHECK(mkdtemp(folder) != NULL);
        int length = snprintf(keys, sizeof keys, cases[n].keys, folder);
        snprintf(keys + length, sizeof keys - (size_t)length, "\"linger_ms\": 60000, \"spool_keep_free_bytes\": 0");
        jump = 0;
        mona_client *client = client_with(keys);
        CHECK_CALL(MONA_OK, mona_enqueue_json(client, MESSAGE, -1, NULL, fresh()));
        jump = cases[n].jump;
        CHECK_CALL(MONA_OK, mona_flush(client, 60000, fresh()));
        CHECK_CALL(MONA_OK, mona_stats_json(client, fresh()));
        check_that(strstr(document, cases[n].expected) != NULL, __FILE__, __LINE__, cases[n].keys, document);
        mona_client_free(client);
        snprintf(command, sizeof command, "rm -r %s", folder);
        CHECK(system(command) == 0);
    }
}

static void a_wait_ends_when_it_should(void)
{
    for (long by = -DAY; by <= DAY; by += 2 * DAY) {
        jump = 0;
        mona_client *client = client_with("\"linger_ms\": 0, \"back_off_first_ms\": 100, \"back_off_longest_ms\": 100");
        sandbox_rules("{\"path\": \"/monaExport\", \"times\": 2, \"status\": 503}");
        long requests = sandbox_count("requests");
        CHECK_CALL(MONA_OK, mona_enqueue_json(client, MESSAGE, -1, NULL, fresh()));
        sandbox_wait("requests", requests + 1);
        jump = by;
        CHECK_CALL(MONA_OK, mona_flush(client, 60000, fresh()));
        CHECK(sandbox_count("requests") == requests + 3);
        mona_client_free(client);
    }
}

static void a_wait_does_not_end_before_it_should(void)
{
    jump = 0;
    mona_client *client =
        client_with("\"linger_ms\": 0, \"back_off_first_ms\": 600000, \"back_off_longest_ms\": 600000");
    sandbox_rules("{\"path\": \"/monaExport\", \"times\": 1, \"status\": 503}");
    long requests = sandbox_count("requests");
    CHECK_CALL(MONA_OK, mona_enqueue_json(client, MESSAGE, -1, NULL, fresh()));
    sandbox_wait("requests", requests + 1);
    jump = DAY;
    CHECK_CALL(MONA_TIMEOUT, mona_flush(client, 100, fresh()));
    CHECK(sandbox_count("requests") == requests + 1);
    CHECK_CALL(MONA_OK, mona_client_close(client, 0, fresh()));
    mona_client_free(client);
}

int main(void)
{
    messages_live_as_long_as_they_should();
    a_wait_ends_when_it_should();
    a_wait_does_not_end_before_it_should();
    fresh();
    return 0;
}

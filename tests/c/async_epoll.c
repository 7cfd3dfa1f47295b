/* Many asynchronous calls, 1,000 of them in flight, collected by epoll on the descriptor: one event each, no wake-up lost,
 * memory flat. MONA_TEST_ASYNC_CALLS is how many, for each way to watch. */
#include "check.h"
#include "process.h"
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}"

enum { IN_FLIGHT = 1000, PATIENCE_MS = 60000 };

/* What the allocator may keep for itself, a few times what it does: a leak is noticed from 131 bytes a call on, which is less than
 * a document has. */
static const size_t SLACK = 1 << 20;

static uint64_t wanted(void)
{
    const char *calls = getenv("MONA_TEST_ASYNC_CALLS");
    if (calls != NULL)
        return strtoull(calls, NULL, 10);
    return under_valgrind() ? 300 : 10000;
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int watch(mona_client *client, uint32_t how)
{
    int fd = mona_event_fd(client), loop = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event interest = {.events = EPOLLIN | how};
    CHECK(fd >= 0 && loop >= 0 && epoll_ctl(loop, EPOLL_CTL_ADD, fd, &interest) == 0);
    return loop;
}

/* Takes all events that wait; each must be of a call that had none yet. */
static uint64_t take_all(mona_client *client, unsigned char *seen)
{
    uint64_t taken = 0, tag;
    while (mona_poll(client, 0, &tag, fresh()) == MONA_OK) {
        CHECK_DOCUMENT("\"status\":0,\"success\":true,\"total\":1,\"sent\":1,");
        CHECK(tag < wanted() && !seen[tag]);
        seen[tag] = 1;
        taken++;
    }
    return taken;
}

static void collect_by_epoll(mona_client *client, uint32_t how)
{
    uint64_t calls = wanted(), started = 0, ended = 0;
    unsigned char *seen = calloc(calls, 1);
    CHECK(seen != NULL);
    int loop = watch(client, how);
    size_t memory = 0;
    double begin = now_s();
    while (ended < calls) {
        for (; started < calls && started - ended < IN_FLIGHT; started++)
            CHECK(mona_export_json_async(client, MESSAGE, -1, NULL, started, NULL) == MONA_OK);
        struct epoll_event event;
        /* Whoever waits in vain has lost a wake-up. */
        CHECK(epoll_wait(loop, &event, 1, PATIENCE_MS) == 1);
        ended += take_all(client, seen);
        if (memory == 0 && ended >= calls / 5)
            memory = process_memory();
    }
    double took = now_s() - begin;
    printf("%s: %.0f calls/s, resident memory %+.1f MiB since the first fifth\n",
           how == EPOLLET ? "edges" : "levels", (double)calls / took,
           ((double)process_memory() - (double)memory) / (1 << 20));
    CHECK(!process_memory_tells() || process_memory() < memory + SLACK);
    CHECK_CALL(MONA_TIMEOUT, mona_poll(client, 0, NULL, fresh()));
    close(loop);
    free(seen);
}

int main(void)
{
    mona_client *client = new_client(NULL);
    collect_by_epoll(client, 0);
    collect_by_epoll(client, EPOLLET);
    mona_client_free(client);
    fresh();
    return 0;
}

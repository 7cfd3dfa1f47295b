#include "children.h"
#include "../c/check.h"
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A busy machine may stop one child in so many for a second, but none for long. */
enum { CLOSE_MS = 300, LATE_OF = 1000, TOO_LATE_SECONDS = 10, PATIENCE_SECONDS = 60 };

static struct tally *tally;
static mona_client *const *clients;
static pthread_t thread;
static atomic_int stop;
static int most;
static atomic_long ended, late;
static _Atomic double longest;
/* The child that this process is, or that is forked next. */
static int self;

long member(const char *document, const char *name)
{
    char key[64];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = strstr(document, key);
    check_that(at != NULL, __FILE__, __LINE__, name, document);
    return strtol(at + strlen(key), NULL, 10);
}

void check_conserved(const char *statistics)
{
    static const char *const fates[] = {"delivered", "rejected", "expired", "overflow", "close", "damaged", "on_disk", "in_memory", "in_flight"};
    long sum = 0;
    for (size_t n = 0; n < sizeof fates / sizeof *fates; n++)
        sum += member(statistics, fates[n]);
    check_that(sum == member(statistics, "accepted"), __FILE__, __LINE__, "all that was accepted is accounted for", statistics);
}

static void enqueue(mona_client *client)
{
    char text[512];
    for (int n = 0; n < CHILD_MESSAGES; n++) {
        message_write(text, sizeof text, PRODUCERS + self, n, false);
        mona_status status = mona_enqueue_json(client, text, -1, NULL, NULL);
        CHECK(status == MONA_OK);
        atomic_fetch_add(&tally->child[self].accepted, 1);
    }
}

/* Delivers what it can in a short while, and says what is left. */
static void close_client(mona_client *client)
{
    char *document, *statistics;
    mona_status status = mona_client_close(client, CLOSE_MS, &document);
    CHECK(status == MONA_OK || status == MONA_TIMEOUT);
    atomic_store(&tally->child[self].undelivered, member(document, "undelivered"));
    mona_string_free(document);
    CHECK(mona_stats_json(client, &statistics) == MONA_OK);
    check_conserved(statistics);
    /* Nothing of its parent's; but it may have taken over what another child left in a spool. */
    check_that(member(statistics, "accepted") - member(statistics, "recovered") == CHILD_MESSAGES, __FILE__, __LINE__,
               "a child begins with an empty queue", statistics);
    mona_string_free(statistics);
}

static void leave_at_once(void)
{
    _exit(0);
}

static void free_and_exit(void)
{
    for (int n = 0; n < 4; n++)
        mona_client_free(clients[n]);
    exit(0);
}

static void become_another_program(void)
{
    execlp("true", "true", (char *)NULL);
    abort();
}

static void deliver_and_close(void)
{
    enqueue(clients[0]);
    close_client(clients[0]);
    mona_client_free(clients[0]);
    exit(0);
}

static void enqueue_and_exit(void)
{
    enqueue(clients[1]);
    exit(0);
}

static void keep_and_leave(void)
{
    enqueue(clients[2]);
    _exit(0);
}

static void keep_and_be_killed(void)
{
    enqueue(clients[3]);
    raise(SIGKILL);
}

static void keep_and_close(void)
{
    enqueue(clients[2]);
    close_client(clients[2]);
    mona_client_free(clients[2]);
    exit(0);
}

static void fork_again(void)
{
    int status;
    pid_t grandchild = fork();
    if (grandchild == 0)
        keep_and_leave();
    CHECK(waitpid(grandchild, &status, 0) == grandchild && status == 0);
    exit(0);
}

static const struct {
    const char *name;
    void (*run)(void);
    int signal;
    /* What it accepted arrives, however it ended; or what it did not report as undelivered. */
    bool is_durable, is_reported;
} ways[] = {
    {"leave at once", leave_at_once, 0, false, true},
    {"enqueue, close, free, exit", deliver_and_close, 0, false, true},
    {"enqueue to a spool, _exit", keep_and_leave, 0, true, true},
    {"exec", become_another_program, 0, false, true},
    {"enqueue to a spool, SIGKILL", keep_and_be_killed, SIGKILL, true, true},
    {"enqueue, exit", enqueue_and_exit, 0, false, false},
    {"enqueue to a spool, close, free, exit", keep_and_close, 0, true, true},
    {"fork again, enqueue to a spool, _exit", fork_again, 0, true, true},
    {"free all, exit", free_and_exit, 0, false, true},
};

enum { WAYS = sizeof ways / sizeof *ways };

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fork_one(void)
{
    int way = self % WAYS, status;
    atomic_store(&tally->child[self].way, way);
    double begin = now();
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        alarm(PATIENCE_SECONDS); /* a child that hangs dies of it, and the test fails */
        ways[way].run();
        abort();
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    double took = now() - begin;
    if (took > longest)
        longest = took;
    if (took > 1) {
        printf("child %d (%s) took %.3f s\n", self, ways[way].name, took);
        fflush(stdout); /* or the next child writes it again */
        atomic_fetch_add(&late, 1);
    }
    if (ways[way].signal != 0)
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == ways[way].signal);
    else
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    atomic_fetch_add(&ended, 1);
}

static void *fork_every_second(void *nothing)
{
    double start = now();
    for (self = 0; self < most && !stop; self++) {
        while (now() - start < self && !stop)
            nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        fork_one();
    }
    return nothing;
}

void children_start(struct tally *shared, mona_client *const *four, int seconds)
{
    tally = shared;
    clients = four;
    most = seconds;
    CHECK(pthread_create(&thread, NULL, fork_every_second, NULL) == 0);
}

void children_stop(void)
{
    atomic_store(&stop, 1);
    pthread_join(thread, NULL);
}

long children_ended(void)
{
    return ended;
}

double children_longest(void)
{
    return longest;
}

bool child_is_durable(int way)
{
    return ways[way].is_durable;
}

int children_judge(void)
{
    long accepted = 0, arrived = 0, undelivered = 0, missing = 0, strange = 0, lost = 0;
    for (long n = 0; n < ended; n++) {
        const struct child *child = &tally->child[n];
        long came = __builtin_popcountll(child->arrived);
        accepted += child->accepted;
        arrived += came;
        undelivered += child->undelivered;
        strange += came > child->accepted;
        if (ways[child->way].is_durable)
            missing += child->accepted - came;
        else if (child->accepted - came > child->undelivered)
            *(ways[child->way].is_reported ? &missing : &lost) += child->accepted - came - child->undelivered;
    }
    printf("children: %ld, accepted %ld, arrived %ld, reported as undelivered %ld, lost at an exit without a close %ld, missing %ld;"
           " the longest took %.3f s, %ld more than 1 s\n",
           atomic_load(&ended), accepted, arrived, undelivered, lost, missing, longest, atomic_load(&late));
    return (missing != 0) + (strange != 0) + (late > ended / LATE_OF + 1) + (longest > TOO_LATE_SECONDS);
}

/* However a program ends, with the server up, slow or down: it does not crash, it ends in its time and a quarter of a second, what
 * is in a spool is all there at the next start, and a normal end delivers what is in memory, if the server lets it. */
#include "check.h"
#include "sandbox.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}"

enum { MESSAGES = 3, PATIENCE_SECONDS = 60, EXIT_MS = 300, CLOSE_MS = 1000, SLOW_MS = 1500, SPARE_MS = 250, TRIES = 8 };

static mona_client *client;

static void end_by_return(void)
{
}

static void end_by_exit(void)
{
    exit(0);
}

static void end_by__exit(void)
{
    _exit(0);
}

static void end_by_terminate(void)
{
    raise(SIGTERM);
}

static void end_by_kill(void)
{
    raise(SIGKILL);
}

static void end_by_exec(void)
{
    execlp("true", "true", (char *)NULL);
}

static void exit_on_signal(int number)
{
    exit(number == SIGUSR1 ? 0 : 1);
}

/* As many programs do, though they should not. */
static void end_in_a_signal_handler(void)
{
    signal(SIGUSR1, exit_on_signal);
    raise(SIGUSR1);
}

static void *exiting(void *unused)
{
    exit(0);
    return unused;
}

/* The main thread goes first, and another ends the program. */
static void end_by_another_thread(void)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, exiting, NULL) == 0);
    pthread_exit(NULL);
}

static void *exporting(void *unused)
{
    while (mona_export_json(client, MESSAGE, -1, "{\"timeout_ms\": 30000}", NULL) <= MONA_FAILED)
        continue;
    return unused;
}

static void end_with_calls_in_flight(void)
{
    pthread_t thread;
    for (int n = 0; n < 3; n++)
        CHECK(pthread_create(&thread, NULL, exporting, NULL) == 0);
    for (uint64_t tag = 0; tag < 10; tag++)
        CHECK(mona_export_json_async(client, MESSAGE, -1, NULL, tag, NULL) == MONA_OK);
    exit(0);
}

static void end_after_close(void)
{
    mona_client_close(client, 0, NULL);
    exit(0);
}

static void close_later(void)
{
    CHECK(mona_client_close(client, CLOSE_MS, NULL) == MONA_OK);
    mona_client_free(client);
}

/* A handler of the host that runs after the library's. */
static void end_with_a_late_close(void)
{
    exit(0);
}

static void exit_at_once(void)
{
    _exit(0);
}

/* A handler of the host that runs before the library's. */
static void end_at_once_in_a_handler(void)
{
    atexit(exit_at_once);
    exit(0);
}

static void end_by_abort_in_a_handler(void)
{
    atexit(abort);
    exit(0);
}

static void enqueue_one_more(void)
{
    CHECK(mona_enqueue_json(client, MESSAGE, -1, NULL, NULL) == MONA_OK);
}

static void end_with_a_handler_that_enqueues(void)
{
    atexit(enqueue_one_more);
    exit(0);
}

static void exit_in_callback(int32_t level, const char *logger, const char *message, void *unused)
{
    (void)level, (void)logger, (void)message, (void)unused;
    exit(0);
}

static void end_in_a_log_callback(void)
{
    CHECK(mona_set_log_callback(exit_in_callback, NULL, NULL, 0) == MONA_OK);
    mona_export_json(client, "[]", -1, NULL, NULL);
    abort();
}

/* On the thread that delivers, while another waits for it. */
static void end_in_a_delivery(void)
{
    CHECK(mona_set_log_callback(exit_in_callback, NULL, NULL, 0) == MONA_OK);
    sandbox_rules("{\"path\": \"/export\", \"times\": 1, \"status\": 503}");
    mona_flush(client, -1, NULL);
    abort();
}

struct way {
    const char *name;
    void (*end)(void);
    int signal;
    int delivered; /* how many messages a server that is up gets; negative: any number */
    int budget_ms; /* how long it may take if the server does not answer */
};

static const struct way ways[] = {
    {"return", end_by_return, 0, MESSAGES, EXIT_MS},
    {"exit", end_by_exit, 0, MESSAGES, EXIT_MS},
    {"_exit", end_by__exit, 0, -1, 0},
    {"abort", abort, SIGABRT, -1, 0},
    {"SIGTERM", end_by_terminate, SIGTERM, -1, 0},
    {"SIGKILL", end_by_kill, SIGKILL, -1, 0},
    {"exec", end_by_exec, 0, -1, 0},
    {"exit in a signal handler", end_in_a_signal_handler, 0, MESSAGES, EXIT_MS},
    {"exit by another thread", end_by_another_thread, 0, MESSAGES, EXIT_MS},
    {"exit with calls in flight", end_with_calls_in_flight, 0, -1, EXIT_MS},
    {"exit after close", end_after_close, 0, -1, 0},
    {"exit with a late close", end_with_a_late_close, 0, MESSAGES, EXIT_MS + CLOSE_MS},
    {"_exit during exit", end_at_once_in_a_handler, 0, -1, 0},
    {"abort during exit", end_by_abort_in_a_handler, SIGABRT, -1, 0},
    {"enqueue during exit", end_with_a_handler_that_enqueues, 0, MESSAGES + 1, EXIT_MS},
    {"exit in a log callback", end_in_a_log_callback, 0, -1, 0},
    {"exit in a log callback of a delivery", end_in_a_delivery, 0, -1, SLOW_MS},
};

/* A client whose messages wait, so that the end decides what becomes of them. */
static mona_client *waiting_client(const char *spool, const char *server)
{
    char config[512];
    snprintf(config, sizeof config,
             "{\"queue\": {\"linger_ms\": 3600000, \"exit_timeout_ms\": %d%s%s%s}%s%s%s}", EXIT_MS,
             spool != NULL ? ", \"spool_dir\": \"" : "", spool != NULL ? spool : "",
             spool != NULL ? "\"" : "", server != NULL ? ", \"override_rest_api_host\": \"" : "",
             server != NULL ? server : "", server != NULL ? "\"" : "");
    return new_client(config);
}

static long milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* How many milliseconds the end took. */
static long end(const struct way *way, const char *spool, const char *server)
{
    int status, clock[2];
    long start;
    CHECK(pipe(clock) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(PATIENCE_SECONDS); /* a program that hangs dies of it, and the test fails */
        if (way->end == end_with_a_late_close)
            atexit(close_later);
        client = waiting_client(spool, server);
        for (int n = 0; n < MESSAGES; n++)
            CHECK(mona_enqueue_json(client, MESSAGE, -1, NULL, NULL) == MONA_OK);
        start = milliseconds();
        CHECK(write(clock[1], &start, sizeof start) == sizeof start);
        way->end();
        exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    long took = milliseconds();
    int as_it_should = way->signal != 0 ? WIFSIGNALED(status) && WTERMSIG(status) == way->signal
                                        : WIFEXITED(status) && WEXITSTATUS(status) == 0;
    check_that(as_it_should, __FILE__, __LINE__, way->name, spool != NULL ? "durable" : "memory");
    CHECK(read(clock[0], &start, sizeof start) == sizeof start);
    close(clock[0]);
    close(clock[1]);
    return took - start;
}

/* A machine that is busy may hold up one end, but not each of many. */
static void ends_in_time(const struct way *way, const char *spool, const char *server)
{
    char about[128];
    long took = 0;
    for (int n = 0; n < TRIES; n++)
        if ((took = end(way, spool, server)) <= way->budget_ms + SPARE_MS)
            return;
    snprintf(about, sizeof about, "%s took %ld ms, %s", way->name, took, spool != NULL ? "durable" : "memory");
    check_that(0, __FILE__, __LINE__, about, NULL);
}

static void slow_down(void)
{
    char rules[128];
    snprintf(rules, sizeof rules, "{\"path\": \"/export\", \"delay_ms\": %d, \"status\": 503}", SLOW_MS);
    sandbox_rules(rules);
}

static const char *down = "127.0.0.1:1";

static void with_the_server_up(const struct way *way)
{
    long before = sandbox_count("messages");
    end(way, NULL, NULL);
    if (way->delivered >= 0)
        check_that(sandbox_count("messages") == before + way->delivered, __FILE__, __LINE__, way->name,
                   "all delivered");
    sandbox_forget_rules();
}

static void in_time(const struct way *way)
{
    char folder[] = "/tmp/mona-exit-XXXXXX", command[64];
    CHECK(mkdtemp(folder) != NULL);
    const char *spools[] = {NULL, folder};
    for (int n = 0; n < 2; n++) {
        ends_in_time(way, spools[n], NULL);
        slow_down();
        ends_in_time(way, spools[n], NULL);
        sandbox_forget_rules();
        ends_in_time(way, spools[n], down);
    }
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0);
}

/* Whatever the server did when it ended, the next start has them all. Twice is allowed, lost is not. */
static void with_a_spool(const struct way *way, int state)
{
    char folder[] = "/tmp/mona-exit-XXXXXX", config[256], command[64];
    CHECK(mkdtemp(folder) != NULL);
    long before = sandbox_count("messages");
    int left = way->end == end_with_a_handler_that_enqueues ? MESSAGES + 1 : MESSAGES;
    if (state == 1)
        slow_down();
    end(way, folder, state == 2 ? down : NULL);
    sandbox_forget_rules();
    snprintf(config, sizeof config, "{\"queue\": {\"spool_dir\": \"%s\", \"linger_ms\": 0}%s}", folder,
             state == 2 ? ", \"override_rest_api_host\": \"127.0.0.1:1\"" : "");
    if (state < 2) {
        client = new_client(config);
        sandbox_wait("messages", before + left);
        CHECK(mona_client_close(client, -1, NULL) == MONA_OK);
        mona_client_free(client);
    } else {
        /* The same endpoint is still down: what was left is counted by the next start. */
        client = new_client(config);
        char recovered[32], on_disk[32];
        snprintf(recovered, sizeof recovered, "\"recovered\":%d", left);
        snprintf(on_disk, sizeof on_disk, "\"on_disk\":%d", left);
        while (mona_stats_json(client, fresh()) == MONA_OK && strstr(document, recovered) == NULL)
            sched_yield();
        CHECK_CALL(MONA_OK, mona_client_close(client, -1, fresh()));
        CHECK_DOCUMENT(on_disk);
        mona_client_free(client);
    }
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0);
}

int main(void)
{
    for (size_t n = 0; n < sizeof ways / sizeof *ways; n++) {
        const struct way *way = &ways[n];
        with_the_server_up(way);
        in_time(way);
        for (int state = 0; state < 3; state++)
            with_a_spool(way, state);
    }
    fresh();
    return 0;
}

/* However a program ends, with the server up, slow or down: it does not crash, it does not hang, what is in a spool is all there
 * at the next start, and a normal end delivers what is in memory, if the server lets it. */
#include "check.h"
#include "sandbox.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}"

enum { MESSAGES = 3, PATIENCE_SECONDS = 60 };

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
    CHECK(mona_client_close(client, 1000, NULL) == MONA_OK);
    mona_client_free(client);
}

/* A handler of the host that runs after the library's. */
static void end_with_a_late_close(void)
{
    exit(0);
}

struct way {
    const char *name;
    void (*end)(void);
    int signal;
    int normal; /* whether the library has a chance to deliver */
};

static const struct way ways[] = {
    {"return", end_by_return, 0, 1},
    {"exit", end_by_exit, 0, 1},
    {"_exit", end_by__exit, 0, 0},
    {"abort", abort, SIGABRT, 0},
    {"SIGTERM", end_by_terminate, SIGTERM, 0},
    {"SIGKILL", end_by_kill, SIGKILL, 0},
    {"exec", end_by_exec, 0, 0},
    {"exit in a signal handler", end_in_a_signal_handler, 0, 1},
    {"exit by another thread", end_by_another_thread, 0, 1},
    {"exit with calls in flight", end_with_calls_in_flight, 0, 0},
    {"exit after close", end_after_close, 0, 0},
    {"exit with a late close", end_with_a_late_close, 0, 1},
};

/* A client whose messages wait, so that the end decides what becomes of them. */
static mona_client *waiting_client(const char *spool, const char *server)
{
    char config[512];
    snprintf(config, sizeof config,
             "{\"queue\": {\"linger_ms\": 3600000, \"exit_timeout_ms\": 300%s%s%s}%s%s%s}",
             spool != NULL ? ", \"spool_dir\": \"" : "", spool != NULL ? spool : "",
             spool != NULL ? "\"" : "", server != NULL ? ", \"override_rest_api_host\": \"" : "",
             server != NULL ? server : "", server != NULL ? "\"" : "");
    return new_client(config);
}

static void end(const struct way *way, const char *spool, const char *server)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        alarm(PATIENCE_SECONDS); /* a program that hangs dies of it, and the test fails */
        if (way->end == end_with_a_late_close)
            atexit(close_later);
        client = waiting_client(spool, server);
        for (int n = 0; n < MESSAGES; n++)
            CHECK(mona_enqueue_json(client, MESSAGE, -1, NULL, NULL) == MONA_OK);
        way->end();
        exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    int as_it_should = way->signal != 0 ? WIFSIGNALED(status) && WTERMSIG(status) == way->signal
                                        : WIFEXITED(status) && WEXITSTATUS(status) == 0;
    check_that(as_it_should, __FILE__, __LINE__, way->name, spool != NULL ? "durable" : "memory");
}

static void with_the_server_up(const struct way *way)
{
    long before = sandbox_count("messages");
    end(way, NULL, NULL);
    if (way->normal)
        check_that(sandbox_count("messages") == before + MESSAGES, __FILE__, __LINE__, way->name,
                   "all delivered");
}

static void with_the_server_slow(const struct way *way)
{
    sandbox_rules("{\"path\": \"/export\", \"delay_ms\": 1500, \"status\": 503}");
    end(way, NULL, NULL);
    sandbox_forget_rules();
}

static void with_the_server_down(const struct way *way)
{
    end(way, NULL, "127.0.0.1:1");
}

/* Whatever the server did when it ended, the next start has them all. Twice is allowed, lost is not. */
static void with_a_spool(const struct way *way, int state)
{
    char folder[] = "/tmp/mona-exit-XXXXXX", config[256], command[64];
    CHECK(mkdtemp(folder) != NULL);
    long before = sandbox_count("messages");
    if (state == 1)
        sandbox_rules("{\"path\": \"/export\", \"delay_ms\": 1500, \"status\": 503}");
    end(way, folder, state == 2 ? "127.0.0.1:1" : NULL);
    sandbox_forget_rules();
    snprintf(config, sizeof config, "{\"queue\": {\"spool_dir\": \"%s\", \"linger_ms\": 0}%s}", folder,
             state == 2 ? ", \"override_rest_api_host\": \"127.0.0.1:1\"" : "");
    if (state < 2) {
        client = new_client(config);
        sandbox_wait("messages", before + MESSAGES);
        CHECK(mona_client_close(client, -1, NULL) == MONA_OK);
        mona_client_free(client);
    } else {
        /* The same endpoint is still down: what was left is counted by the next start. */
        client = new_client(config);
        while (mona_stats_json(client, fresh()) == MONA_OK && strstr(document, "\"recovered\":3") == NULL)
            sched_yield();
        CHECK_CALL(MONA_OK, mona_client_close(client, -1, fresh()));
        CHECK_DOCUMENT("\"on_disk\":3");
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
        with_the_server_slow(way);
        with_the_server_down(way);
        for (int state = 0; state < 3; state++)
            with_a_spool(way, state);
    }
    fresh();
    return 0;
}

/* A forked child uses an inherited client at once, or frees it, whatever the parent's threads were doing, and however it
 * ends: nothing hangs, every message arrives once, and a child that does nothing has neither a thread nor a descriptor
 * of the library. MONA_TEST_FORKS is how often to fork. */
#include "check.h"
#include "process.h"
#include "sandbox.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}"

enum { TRAFFIC = 2, FORKING = 3, PATIENCE_SECONDS = 60 };

/* The process as it was before it used the library. */
static int descriptors;

static mona_client *client;
static atomic_int stop;
static atomic_long sent;
static atomic_int forks_left;
static atomic_long longest_us;

static void export_one(void)
{
    CHECK(mona_export_json(client, MESSAGE, -1, NULL, NULL) == MONA_OK);
}

static void enqueue_one(void)
{
    CHECK(mona_enqueue_json(client, MESSAGE, -1, NULL, NULL) == MONA_OK);
}

static void deliver_one(void)
{
    enqueue_one();
    CHECK(mona_flush(client, -1, NULL) == MONA_OK);
}

static void idle_then_return(void)
{
    /* The thread that forked is the only one: when it returns, the process ends. */
    CHECK(process_entries("task") == 1);
    CHECK(process_entries("fd") == descriptors);
}

static void free_then_exit(void)
{
    mona_client_free(client);
    exit(0);
}

static void deliver_then_free_then_exit(void)
{
    deliver_one();
    free_then_exit();
}

static void deliver_then_quit(void)
{
    enqueue_one();
    CHECK(mona_client_close(client, -1, NULL) == MONA_OK);
    _exit(0);
}

static void export_then_exit(void)
{
    export_one();
    exit(0);
}

static void export_then_exec(void)
{
    export_one();
    execlp("true", "true", (char *)NULL);
    abort();
}

static void export_then_abort(void)
{
    export_one();
    abort();
}

static void export_then_die(void)
{
    export_one();
    raise(SIGKILL);
}

static void export_then_fork(void)
{
    int status;
    export_one();
    pid_t grandchild = fork();
    if (grandchild == 0)
        deliver_then_quit();
    CHECK(waitpid(grandchild, &status, 0) == grandchild && status == 0);
    free_then_exit();
}

static void fork_then_exit(void)
{
    int status;
    pid_t grandchild = fork();
    if (grandchild == 0) {
        export_one();
        _exit(0);
    }
    CHECK(waitpid(grandchild, &status, 0) == grandchild && status == 0);
    _exit(0);
}

/* Enqueued and not delivered: for a spool only, where a program that lives takes it over. */
static void leave_one(void)
{
    enqueue_one();
    _exit(0);
}

static void leave_one_and_die(void)
{
    enqueue_one();
    raise(SIGKILL);
}

struct way {
    void (*run)(void);
    int messages;
    int signal;
};

static const struct way any_client[] = {
    {idle_then_return, 0, 0},
    {free_then_exit, 0, 0},
    {deliver_then_free_then_exit, 1, 0},
    {deliver_then_quit, 1, 0},
    {export_then_exit, 1, 0},
    {export_then_exec, 1, 0},
    {export_then_abort, 1, SIGABRT},
    {export_then_die, 1, SIGKILL},
    {export_then_fork, 2, 0},
    {fork_then_exit, 1, 0},
};

static const struct way durable_client[] = {
    {idle_then_return, 0, 0},
    {leave_one, 1, 0},
    {leave_one_and_die, 1, SIGKILL},
    {free_then_exit, 0, 0},
};

static const struct way *ways;
static int ways_count;

static void *traffic(void *unused)
{
    while (!atomic_load(&stop)) {
        export_one();
        enqueue_one();
        atomic_fetch_add(&sent, 2);
    }
    return unused;
}

static long now_us(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

/* Returns in the child as well, when that has done its part and is to end by returning. */
static void fork_one(const struct way *way)
{
    int status;
    long start = now_us();
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        alarm(PATIENCE_SECONDS); /* a child that hangs dies of it, and the test fails */
        way->run();
        return;
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    long took = now_us() - start;
    if (took > atomic_load(&longest_us))
        atomic_store(&longest_us, took);
    if (way->signal != 0)
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == way->signal);
    else
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    atomic_fetch_add(&sent, way->messages);
}

static void *forking(void *unused)
{
    pid_t parent = getpid();
    for (int left; getpid() == parent && (left = atomic_fetch_sub(&forks_left, 1)) > 0;)
        fork_one(&ways[left % ways_count]);
    return unused;
}

static void fork_with_traffic_in_flight(int forks)
{
    pthread_t threads[TRAFFIC + FORKING];
    atomic_store(&stop, 0);
    atomic_store(&sent, 0);
    atomic_store(&forks_left, forks);
    for (int n = 0; n < TRAFFIC + FORKING; n++)
        CHECK(pthread_create(&threads[n], NULL, n < TRAFFIC ? traffic : forking, NULL) == 0);
    for (int n = TRAFFIC; n < TRAFFIC + FORKING; n++)
        pthread_join(threads[n], NULL);
    atomic_store(&stop, 1);
    for (int n = 0; n < TRAFFIC; n++)
        pthread_join(threads[n], NULL);
    printf("%d forks, %ld messages, longest child %.3f s\n", forks, atomic_load(&sent),
           (double)atomic_load(&longest_us) / 1e6);
    fflush(stdout);
}

static void messages_in_memory(int forks)
{
    long before = sandbox_count("messages");
    ways = any_client;
    ways_count = sizeof any_client / sizeof *any_client;
    client = new_client("{\"queue\": {\"linger_ms\": 0}}");
    CHECK(mona_event_fd(client) >= 0);
    fork_with_traffic_in_flight(forks);
    CHECK(mona_flush(client, -1, NULL) == MONA_OK);
    CHECK(sandbox_count("messages") == before + atomic_load(&sent));
    mona_client_free(client);
}

/* A program leaves a message in its spool and a child that does nothing: the message is taken over while that child lives. */
static void a_child_holds_no_spool(void)
{
    char folder[] = "/tmp/mona-fork-XXXXXX", config[256], command[64];
    int status, gate[2];
    long before = sandbox_count("messages");
    CHECK(mkdtemp(folder) != NULL && pipe(gate) == 0);
    snprintf(config, sizeof config,
             "{\"queue\": {\"spool_dir\": \"%s\", \"linger_ms\": 3600000}}", folder);
    pid_t pid = fork();
    if (pid == 0) {
        client = new_client(config);
        enqueue_one();
        if (fork() == 0) {
            close(gate[1]);
            CHECK(read(gate[0], &status, 1) == 0); /* until the test is over */
        }
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    snprintf(config, sizeof config, "{\"queue\": {\"spool_dir\": \"%s\", \"linger_ms\": 0}}",
             folder);
    client = new_client(config);
    sandbox_wait("messages", before + 1);
    mona_client_free(client);
    close(gate[0]);
    close(gate[1]);
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0);
}

/* A child needs a spool of its own for nothing but to enqueue. */
static void a_child_opens_a_spool_only_to_enqueue(void)
{
    char folder[] = "/tmp/mona-fork-XXXXXX", config[256], away[64], command[256];
    int status;
    CHECK(mkdtemp(folder) != NULL);
    snprintf(config, sizeof config, "{\"queue\": {\"spool_dir\": \"%s\"}}", folder);
    client = new_client(config);
    snprintf(away, sizeof away, "%s.away", folder);
    snprintf(command, sizeof command, "mv %s %s && touch %s", folder, away, folder);
    CHECK(system(command) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        export_one();
        CHECK_CALL(MONA_OK, mona_stats_json(client, fresh()));
        CHECK_CALL(MONA_ERROR_INITIALIZATION,
                   mona_enqueue_json(client, MESSAGE, -1, NULL, fresh()));
        CHECK_CALL(MONA_OK, mona_client_close(client, -1, fresh()));
        CHECK_CALL(MONA_OK, mona_stats_json(client, fresh()));
        CHECK_DOCUMENT("\"state\":\"closed\"");
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    mona_client_free(client);
    snprintf(command, sizeof command, "rm -r %s %s", folder, away);
    CHECK(system(command) == 0);
}

/* What the client was made with counts, not what the child finds. */
static void a_child_reads_no_environment(void)
{
    const char *const found[][2] = {
        {"http_proxy", "http://127.0.0.1:1"}, {"no_proxy", "none.invalid"}, {"NO_PROXY", "none.invalid"}};
    char *before[3];
    int status;
    client = new_client("{\"auth_mode\": \"NO_AUTH\", \"user_id\": \"u\"}");
    for (int n = 0; n < 3; n++) {
        const char *value = getenv(found[n][0]);
        before[n] = value == NULL ? NULL : strdup(value);
        CHECK(setenv(found[n][0], found[n][1], 1) == 0);
    }
    pid_t pid = fork();
    if (pid == 0) {
        export_one();
        _exit(0);
    }
    for (int n = 0; n < 3; n++) {
        CHECK((before[n] == NULL ? unsetenv(found[n][0]) : setenv(found[n][0], before[n], 1)) == 0);
        free(before[n]);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    mona_client_free(client);
}

/* Nothing is sent before the children have gone, so that nothing is under way when one is killed. */
static void messages_in_a_spool(int forks)
{
    char folder[] = "/tmp/mona-fork-XXXXXX", config[256], patient[256], command[64];
    long before = sandbox_count("messages");
    CHECK(mkdtemp(folder) != NULL);
    snprintf(config, sizeof config, "{\"queue\": {\"spool_dir\": \"%s\", \"linger_ms\": 0}}",
             folder);
    snprintf(patient, sizeof patient,
             "{\"queue\": {\"spool_dir\": \"%s\", \"linger_ms\": 3600000, \"batch_messages\": 1000000}}",
             folder);
    ways = durable_client;
    ways_count = sizeof durable_client / sizeof *durable_client;
    client = new_client(patient);
    fork_with_traffic_in_flight(forks);
    CHECK(mona_client_close(client, -1, NULL) == MONA_OK);
    mona_client_free(client);
    client = new_client(config);
    sandbox_wait("messages", before + atomic_load(&sent));
    mona_client_free(client);
    CHECK(sandbox_count("messages") == before + atomic_load(&sent));
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0);
}

int main(void)
{
    const char *wanted = getenv("MONA_TEST_FORKS");
    int forks = wanted != NULL ? atoi(wanted) : 150;
    descriptors = process_entries("fd");
    a_child_holds_no_spool();
    a_child_opens_a_spool_only_to_enqueue();
    a_child_reads_no_environment();
    messages_in_memory(forks);
    messages_in_a_spool(forks / 3);
    return 0;
}

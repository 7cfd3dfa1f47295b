/* A host's function takes the log records of all clients; it is destroyed once, after its last use; it may call the library.
 * Records can be collected as events instead. */
#include "check.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}"

/* Nobody listens there. */
#define NOWHERE "\"127.0.0.1:1\""
#define UNREACHABLE "{\"override_app_server_host\": " NOWHERE ", \"logger_name\": \"test\""

static mona_client *client;

/* What a callback's user data counts. */
struct log {
    atomic_int records;
    atomic_int running;
    atomic_int destroyed;
    int level;
    char message[512];
};

static void note(int32_t level, const char *logger, const char *message, void *user_data)
{
    struct log *log = user_data;
    CHECK(atomic_load(&log->destroyed) == 0);
    CHECK(strcmp(logger, "test") == 0);
    log->level = level;
    snprintf(log->message, sizeof log->message, "%s", message);
    atomic_fetch_add(&log->records, 1);
}

static void destroy(void *user_data)
{
    struct log *log = user_data;
    CHECK(atomic_load(&log->running) == 0);
    atomic_fetch_add(&log->destroyed, 1);
}

/* One record of level 40. */
static void *fail(void *unused)
{
    CHECK(mona_service_call(client, "get_config", "{}", -1, NULL, NULL) == MONA_FAILED);
    return unused;
}

/* A handler of the host that was there before the library's, and so runs after it. */
static struct log ended;

static void fail_at_the_end(void)
{
    fail(NULL);
    _exit(ended.records == 1 && lseek(2, 0, SEEK_END) == 0 ? 0 : 1);
}

/* Neither does the host's function take a record, whose runtime may have ended by then, nor standard error in its place. In a child,
 * because the library must not have been used before. */
static void nothing_is_told_once_the_program_ends(void)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60); /* a child that hangs dies of it, and the test fails */
        FILE *file = tmpfile();
        CHECK(atexit(fail_at_the_end) == 0);
        client = new_client(UNREACHABLE ", \"logging_level\": \"ERROR\"}");
        CHECK(mona_set_log_callback(note, &ended, NULL, 40) == MONA_OK);
        fail(NULL);
        CHECK(file != NULL && dup2(fileno(file), 2) == 2);
        exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/* With a callback nothing is written to standard error. */
static void nothing_is_written_as_well(void)
{
    struct log log = {0};
    FILE *file = tmpfile();
    int errors = dup(2);
    CHECK(file != NULL && errors >= 0 && dup2(fileno(file), 2) == 2);
    client = new_client(UNREACHABLE ", \"logging_level\": \"ERROR\"}");
    CHECK(mona_set_log_callback(note, &log, NULL, 40) == MONA_OK);
    fail(NULL);
    long written = lseek(fileno(file), 0, SEEK_END);
    CHECK(mona_set_log_callback(NULL, NULL, NULL, 0) == MONA_OK);
    fail(NULL);
    CHECK(dup2(errors, 2) == 2);
    CHECK(log.records == 1 && written == 0);
    CHECK(lseek(fileno(file), 0, SEEK_END) > 0);
    close(errors);
    fclose(file);
    mona_client_free(client);
}

static void records_arrive_above_their_level(void)
{
    struct log log = {0};
    client = new_client(UNREACHABLE "}");
    CHECK(mona_set_log_callback(note, &log, destroy, -1) == MONA_ERROR_INVALID_ARGUMENT);
    fail(NULL);
    CHECK(log.records == 0 && log.destroyed == 0);
    CHECK(mona_set_log_callback(note, &log, destroy, 40) == MONA_OK);
    fail(NULL);
    CHECK(log.records == 1 && log.level == 40);
    CHECK(strstr(log.message, "app-server") != NULL);
    CHECK(mona_set_log_callback(note, &log, NULL, 41) == MONA_OK);
    CHECK(log.destroyed == 1);
    log.destroyed = 0;
    fail(NULL);
    CHECK(log.records == 1);
    CHECK(mona_set_log_callback(NULL, &log, destroy, 0) == MONA_OK);
    fail(NULL);
    CHECK(log.records == 1 && log.destroyed == 0);
    mona_client_free(client);
}

static pthread_barrier_t barrier;

static void wait_twice(int32_t level, const char *logger, const char *message, void *user_data)
{
    struct log *log = user_data;
    atomic_store(&log->running, 1);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    atomic_store(&log->running, 0);
    note(level, logger, message, user_data);
}

static void it_is_not_destroyed_while_it_runs(void)
{
    struct log log = {0};
    pthread_t thread;
    client = new_client(UNREACHABLE "}");
    CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
    CHECK(mona_set_log_callback(wait_twice, &log, destroy, 40) == MONA_OK);
    CHECK(pthread_create(&thread, NULL, fail, NULL) == 0);
    pthread_barrier_wait(&barrier);
    CHECK(mona_set_log_callback(NULL, NULL, NULL, 0) == MONA_OK);
    CHECK(log.destroyed == 0);
    pthread_barrier_wait(&barrier);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(log.records == 1 && log.destroyed == 1);
    mona_client_free(client);
}

static void use_the_library(int32_t level, const char *logger, const char *message, void *user_data)
{
    struct log *log = user_data;
    atomic_store(&log->running, 1);
    fail(NULL); /* its record is dropped */
    CHECK(mona_enqueue_json(client, MESSAGE, -1, NULL, NULL) == MONA_OK);
    CHECK(mona_flush(client, -1, NULL) == MONA_TIMEOUT);
    CHECK(mona_poll(client, -1, NULL, NULL) == MONA_TIMEOUT);
    CHECK(mona_stats_json(client, NULL) == MONA_OK);
    CHECK(mona_client_is_active(client) == 1);
    CHECK(mona_set_log_callback(NULL, NULL, NULL, 0) == MONA_OK);
    CHECK(mona_client_close(client, -1, NULL) >= MONA_OK);
    CHECK(log->destroyed == 0);
    atomic_store(&log->running, 0);
    note(level, logger, message, user_data);
}

static void wait_until_destroyed(struct log *log)
{
    while (atomic_load(&log->destroyed) == 0) /* ctest bounds how long */
        sched_yield();
    CHECK(log->records == 1 && log->destroyed == 1);
}

static void it_may_call_the_library(void)
{
    struct log log = {0};
    client = new_client(UNREACHABLE "}");
    CHECK(mona_set_log_callback(use_the_library, &log, destroy, 40) == MONA_OK);
    fail(NULL);
    wait_until_destroyed(&log);
    mona_client_free(client);
}

static void it_may_call_the_library_from_its_thread(void)
{
    struct log log = {0};
    client = new_client(UNREACHABLE ", \"override_rest_api_host\": " NOWHERE "}");
    CHECK(mona_set_log_callback(use_the_library, &log, destroy, 30) == MONA_OK);
    CHECK(mona_enqueue_json(client, MESSAGE, -1, NULL, NULL) == MONA_OK);
    wait_until_destroyed(&log);
    CHECK(log.level == 30);
    mona_client_free(client);
}

static void take_itself_away(int32_t level, const char *logger, const char *message, void *user_data)
{
    CHECK(mona_set_log_callback(NULL, NULL, NULL, 0) == MONA_OK);
    note(level, logger, message, user_data);
}

/* What would be waited for could be this thread. */
static void wait_and_destroy(void *user_data)
{
    CHECK(mona_enqueue_json(client, MESSAGE, -1, NULL, NULL) == MONA_OK);
    CHECK(mona_flush(client, -1, NULL) == MONA_TIMEOUT);
    CHECK(mona_poll(client, -1, NULL, NULL) == MONA_TIMEOUT);
    destroy(user_data);
}

static void nothing_waits_while_it_is_destroyed(mona_log_callback callback)
{
    struct log log = {0};
    client = new_client(UNREACHABLE ", \"queue\": {\"linger_ms\": 3600000}}");
    CHECK(mona_set_log_callback(callback, &log, wait_and_destroy, 40) == MONA_OK);
    fail(NULL);
    CHECK(mona_set_log_callback(NULL, NULL, NULL, 0) == MONA_OK);
    CHECK(log.records == 1 && log.destroyed == 1);
    mona_client_free(client);
}

static void a_child_has_its_own(void)
{
    struct log log = {0};
    int status;
    client = new_client(UNREACHABLE "}");
    CHECK(mona_set_log_callback(note, &log, destroy, 40) == MONA_OK);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60); /* a child that hangs dies of it, and the test fails */
        fail(NULL);
        CHECK(log.records == 1);
        CHECK(mona_set_log_callback(NULL, NULL, NULL, 0) == MONA_OK);
        CHECK(log.destroyed == 1);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(log.records == 0 && log.destroyed == 0);
    CHECK(mona_set_log_callback(NULL, NULL, NULL, 0) == MONA_OK);
    CHECK(log.destroyed == 1);
    mona_client_free(client);
}

static void records_can_be_collected(void)
{
    client = new_client(UNREACHABLE ", \"log_events\": \"error\"}");
    fail(NULL);
    CHECK_CALL(MONA_OK, mona_poll(client, 0, NULL, fresh()));
    CHECK_DOCUMENT("{\"type\":\"log\",\"tag\":\"0\",\"status\":0,");
    CHECK_DOCUMENT("\"level\":40,\"logger\":\"test\",\"message\":\"");
    CHECK_CALL(MONA_TIMEOUT, mona_poll(client, 0, NULL, fresh()));
    mona_client_free(client);
}

/* May run on several threads at once. */
static void count(int32_t level, const char *logger, const char *message, void *user_data)
{
    struct log *log = user_data;
    CHECK(atomic_load(&log->destroyed) == 0);
    CHECK(level == 40 && strcmp(logger, "test") == 0 && message != NULL);
    atomic_fetch_add(&log->records, 1);
}

/* Callbacks that come and go while records are made: each is destroyed once. */
static void *failing(void *stop)
{
    while (!atomic_load((atomic_int *)stop))
        fail(NULL);
    return NULL;
}

static void it_is_replaced_at_any_time(void)
{
    enum { CALLBACKS = 2000 };
    static struct log logs[CALLBACKS];
    atomic_int stop = 0;
    pthread_t threads[2];
    client = new_client(UNREACHABLE "}");
    for (int n = 0; n < 2; n++)
        CHECK(pthread_create(&threads[n], NULL, failing, &stop) == 0);
    for (int n = 0; n < CALLBACKS; n++)
        CHECK(mona_set_log_callback(count, &logs[n], destroy, 0) == MONA_OK);
    CHECK(mona_set_log_callback(NULL, NULL, NULL, 0) == MONA_OK);
    atomic_store(&stop, 1);
    for (int n = 0; n < 2; n++)
        pthread_join(threads[n], NULL);
    for (int n = 0; n < CALLBACKS; n++)
        CHECK(logs[n].destroyed == 1);
    mona_client_free(client);
}

int main(void)
{
    nothing_is_told_once_the_program_ends();
    nothing_is_written_as_well();
    records_arrive_above_their_level();
    it_is_not_destroyed_while_it_runs();
    it_may_call_the_library();
    it_may_call_the_library_from_its_thread();
    nothing_waits_while_it_is_destroyed(note); /* by who sets another */
    nothing_waits_while_it_is_destroyed(take_itself_away); /* after its last record */
    a_child_has_its_own();
    records_can_be_collected();
    it_is_replaced_at_any_time();
    fresh();
    return 0;
}

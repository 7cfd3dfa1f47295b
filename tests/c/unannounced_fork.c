/* A child made by the system call alone, which no handler of pthread_atfork tells of, begins anew with whatever it calls first: its
 * statistics are its own, and it waits for no lock that a thread of its parent had.
 *
 * The parent has no thread of the library meanwhile: the C library's own locks are not looked after in such a child. Two functions
 * below take the place of the C library's, for the library under test too. */
#define _GNU_SOURCE
#include "check.h"
#include "process.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}"

/* No request is made before a message has waited that long. */
#define IDLE "{\"auth_mode\": \"NO_AUTH\", \"user_id\": \"u\", \"queue\": {\"linger_ms\": 3600000}}"

static mona_client *client;

/* Whether this thread stops where it tells an event loop; whether it did; and whether it may go on. */
static _Thread_local int stops;
static atomic_int stopped, go_on;

static void stop_here(void)
{
    if (!stops)
        return;
    atomic_store(&stopped, 1);
    while (!atomic_load(&go_on))
        sched_yield();
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    stop_here();
    return syscall(SYS_write, fd, bytes, length);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
    stop_here();
    return syscall(SYS_sendto, fd, bytes, length, flags, NULL, 0);
}

static void in_a_child(void (*run)(void))
{
    int status;
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    CHECK(pid >= 0);
    if (pid == 0) {
        alarm(60); /* a child that hangs dies of it, and the test fails */
        run();
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void its_statistics_are_empty(void)
{
    CHECK_CALL(MONA_OK, mona_stats_json(client, fresh()));
    CHECK_DOCUMENT("\"accepted\":0,");
}

static void a_child_counts_from_the_start(void)
{
    client = new_client(IDLE);
    CHECK(mona_enqueue_json(client, MESSAGE, -1, NULL, NULL) == MONA_OK);
    CHECK(mona_client_close(client, 0, NULL) == MONA_OK);
    process_wait_for_threads(1);
    CHECK_CALL(MONA_OK, mona_stats_json(client, fresh()));
    CHECK_DOCUMENT("\"accepted\":1,");
    in_a_child(its_statistics_are_empty);
    mona_client_free(client);
}

/* Enqueueing does not ask whether this is a child: it relies on the call before it. Closing does. */
static void the_next_message_is_its_own(void)
{
    CHECK(mona_enqueue_json(client, MESSAGE, -1, NULL, NULL) == MONA_OK);
    CHECK_CALL(MONA_OK, mona_client_close(client, 0, fresh()));
    CHECK_DOCUMENT("\"undelivered\":1,");
}

static void asks_first_whether_it_is_active(void)
{
    CHECK(mona_client_is_active(client) == 1);
    the_next_message_is_its_own();
}

static void wakes_first(void)
{
    CHECK(mona_wake(client) == MONA_OK);
    the_next_message_is_its_own();
}

static void asks_first_for_statistics(void)
{
    CHECK(mona_stats_json(client, NULL) == MONA_OK);
    the_next_message_is_its_own();
}

static void sets_a_log_callback_first(void)
{
    CHECK(mona_set_log_callback(NULL, NULL, NULL, 0) == MONA_OK);
    the_next_message_is_its_own();
}

static void prepares_a_fork_first(void)
{
    CHECK(mona_before_fork() == MONA_OK);
    the_next_message_is_its_own();
    CHECK(mona_after_fork_parent() == MONA_OK);
}

static void ends_a_fork_first(void)
{
    CHECK(mona_after_fork_parent() == MONA_OK);
    the_next_message_is_its_own();
}

static void a_child_is_noticed_by_its_first_call(void)
{
    client = new_client(IDLE);
    CHECK(process_entries("task") == 1);
    in_a_child(asks_first_whether_it_is_active);
    in_a_child(wakes_first);
    in_a_child(asks_first_for_statistics);
    in_a_child(sets_a_log_callback_first);
    in_a_child(prepares_a_fork_first);
    in_a_child(ends_a_fork_first);
    mona_client_free(client);
}

static void *wake_and_stop(void *unused)
{
    stops = 1;
    CHECK(mona_wake(client) == MONA_OK);
    return unused;
}

static void wakes_itself(void)
{
    CHECK(mona_wake(client) == MONA_OK);
    CHECK(mona_poll(client, -1, NULL, NULL) == MONA_TIMEOUT);
}

/* The parent's thread has the lock of the events as long as it tells of one. */
static void a_child_does_not_wait_for_its_parents_thread(void)
{
    pthread_t thread;
    client = new_client(IDLE);
    CHECK(mona_event_fd(client) >= 0);
    CHECK(pthread_create(&thread, NULL, wake_and_stop, NULL) == 0);
    while (!atomic_load(&stopped)) /* ctest bounds how long */
        sched_yield();
    in_a_child(wakes_itself);
    atomic_store(&go_on, 1);
    CHECK(pthread_join(thread, NULL) == 0);
    mona_client_free(client);
}

int main(void)
{
    a_child_counts_from_the_start();
    a_child_is_noticed_by_its_first_call();
    a_child_does_not_wait_for_its_parents_thread();
    fresh();
    return 0;
}

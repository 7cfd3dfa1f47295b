/* A forked child begins with no events and a descriptor of its own, leaves its parent's alone, and gives back what it made. */
#include "check.h"
#include "process.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}"

static void collect(mona_client *client, uint64_t wanted)
{
    uint64_t tag = 0;
    CHECK_CALL(MONA_OK, mona_poll(client, -1, &tag, fresh()));
    CHECK(tag == wanted);
    CHECK_DOCUMENT("\"status\":0,");
}

static int readable(int fd)
{
    struct pollfd watched = {.fd = fd, .events = POLLIN};
    CHECK(poll(&watched, 1, 0) >= 0);
    return (watched.revents & POLLIN) != 0;
}

static void wait_for(pid_t pid)
{
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_child_begins_with_no_event_and_a_descriptor_of_its_own(void)
{
    mona_client *client = new_client(NULL);
    CHECK(mona_export_json_async(client, MESSAGE, -1, NULL, 1, NULL) == MONA_OK);
    int fd = mona_event_fd(client);
    CHECK(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, -1) == 1);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60); /* a child that hangs dies of it, and the test fails */
        CHECK(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
        CHECK_CALL(MONA_TIMEOUT, mona_poll(client, 0, NULL, fresh()));
        int own = mona_event_fd(client);
        CHECK(own >= 0 && !readable(own));
        CHECK(mona_export_json_async(client, MESSAGE, -1, NULL, 2, NULL) == MONA_OK);
        collect(client, 2);
        mona_client_free(client);
        _exit(0);
    }
    wait_for(pid);
    CHECK(readable(fd));
    collect(client, 1);
    CHECK(!readable(fd));
    mona_client_free(client);
}

static void a_child_of_a_closed_client_is_told_so(void)
{
    mona_client *client = new_client(NULL);
    CHECK_CALL(MONA_OK, mona_client_close(client, -1, fresh()));
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60);
        CHECK(mona_export_json_async(client, MESSAGE, -1, NULL, 1, NULL) == MONA_ERROR_CLOSED);
        CHECK_CALL(MONA_ERROR_CLOSED, mona_poll(client, -1, NULL, fresh()));
        CHECK_CALL(MONA_OK, mona_stats_json(client, fresh()));
        CHECK_DOCUMENT("\"state\":\"closed\"");
        _exit(0);
    }
    wait_for(pid);
    mona_client_free(client);
}

/* The thread that polls, as a folder below /proc, and whether that is known. */
static char polling[64];
static atomic_int polls;

static void *poll_until_woken(void *client)
{
    CHECK(readlink("/proc/thread-self", polling, sizeof polling - 1) > 0);
    polls = 1;
    CHECK(mona_poll(client, -1, NULL, NULL) == MONA_TIMEOUT);
    return NULL;
}

/* Whether that thread sleeps: it does so nowhere but in the poll. */
static int sleeps(void)
{
    char path[96], state = 0;
    snprintf(path, sizeof path, "/proc/%s/stat", polling);
    FILE *stat = fopen(path, "r");
    CHECK(stat != NULL && fscanf(stat, "%*d (%*[^)]) %c", &state) == 1);
    fclose(stat);
    return state == 'S';
}

static void a_child_gives_back_what_it_made_though_a_thread_of_its_parent_was_in_a_call(void)
{
    mona_client *client = new_client(NULL);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, poll_until_woken, client) == 0);
    while (!polls || !sleeps())
        sched_yield();
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60);
        int descriptors = process_entries("fd");
        CHECK_CALL(MONA_OK, mona_export_json(client, MESSAGE, -1, NULL, fresh()));
        CHECK(mona_event_fd(client) >= 0);
        mona_client_free(client);
        process_wait_for_threads(1);
        CHECK(process_entries("fd") == descriptors);
        _exit(0);
    }
    wait_for(pid);
    mona_wake(client);
    CHECK(pthread_join(thread, NULL) == 0);
    mona_client_free(client);
}

int main(void)
{
    a_child_begins_with_no_event_and_a_descriptor_of_its_own();
    a_child_of_a_closed_client_is_told_so();
    a_child_gives_back_what_it_made_though_a_thread_of_its_parent_was_in_a_call();
    fresh();
    return 0;
}

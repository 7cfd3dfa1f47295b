/* A forked child uses an inherited client at once, or frees it, whatever the parent's threads were doing: nothing
 * hangs, and every message arrives once. MONA_TEST_FORKS is how often to fork. */
#include "check.h"
#include "sandbox.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}"

enum { TRAFFIC = 3, WAYS = 5, PATIENCE_SECONDS = 60 };

static atomic_int stop;
static atomic_long sent;

static void export_one(mona_client *client)
{
    CHECK(mona_export_json(client, MESSAGE, -1, NULL, NULL) == MONA_OK);
}

static void enqueue_one(mona_client *client)
{
    CHECK(mona_enqueue_json(client, MESSAGE, -1, NULL, NULL) == MONA_OK);
}

static void *traffic(void *client)
{
    while (!atomic_load(&stop)) {
        export_one(client);
        enqueue_one(client);
        atomic_fetch_add(&sent, 2);
    }
    return NULL;
}

/* What the child of this number does; returns how many messages it sends. */
static int child(mona_client *client, int number)
{
    pid_t grandchild;
    int status;
    switch (number % WAYS) {
    case 0:
        export_one(client);
        _exit(0);
    case 1:
        enqueue_one(client);
        CHECK(mona_flush(client, -1, NULL) == MONA_OK);
        mona_client_free(client);
        exit(0);
    case 2:
        mona_client_free(client);
        exit(0);
    case 3:
        export_one(client);
        grandchild = fork();
        if (grandchild == 0) {
            enqueue_one(client);
            CHECK(mona_client_close(client, -1, NULL) == MONA_OK);
            _exit(0);
        }
        waitpid(grandchild, &status, 0);
        mona_client_free(client);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    default:
        exit(0);
    }
}

static const int messages_of[WAYS] = {1, 1, 0, 2, 0};

static void fork_one(mona_client *client, int number)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        alarm(PATIENCE_SECONDS); /* a child that hangs dies of it, and the test fails */
        child(client, number);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    atomic_fetch_add(&sent, messages_of[number % WAYS]);
}

int main(void)
{
    const char *wanted = getenv("MONA_TEST_FORKS");
    int forks = wanted != NULL ? atoi(wanted) : 100;
    long before = sandbox_count("messages");
    mona_client *client = new_client("{\"queue\": {\"linger_ms\": 0}}");
    pthread_t threads[TRAFFIC];
    for (int n = 0; n < TRAFFIC; n++)
        CHECK(pthread_create(&threads[n], NULL, traffic, client) == 0);
    for (int n = 0; n < forks; n++)
        fork_one(client, n);
    atomic_store(&stop, 1);
    for (int n = 0; n < TRAFFIC; n++)
        pthread_join(threads[n], NULL);
    CHECK(mona_flush(client, -1, NULL) == MONA_OK);
    CHECK(sandbox_count("messages") == before + atomic_load(&sent));
    printf("%d forks, %ld messages\n", forks, atomic_load(&sent));
    mona_client_free(client);
    return 0;
}

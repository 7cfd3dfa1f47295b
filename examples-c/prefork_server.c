/* A pre-fork server: the parent makes the client once, its workers use the one that they inherit. Each has connections, threads
 * and a queue of its own, and the parent's token, so none has to log in. Each closes the client before it ends, so that what it
 * enqueued is delivered.
 *
 * The account is taken from the environment (docs/configuration.md). */
#define _POSIX_C_SOURCE 200809L
#include <mona.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 4, REQUESTS = 50, CLOSE_TIMEOUT_MS = 10000 };

static void describe(char *message, size_t size, int worker, int request)
{
    snprintf(message, size,
             "{\"contextClass\": \"LOAN_APPLICATION\", \"contextId\": \"loan-%d-%d\","
             " \"message\": {\"approved\": true, \"worker\": %d}}",
             worker, request, worker);
}

/* One request: most of what it has to tell Mona can wait, what the user waits for is exported at once. */
static int serve(mona_client *client, int worker, int request)
{
    char message[160];
    describe(message, sizeof message, worker, request);
    mona_status status = request % 10 == 0 ? mona_export_json(client, message, -1, NULL, NULL)
                                           : mona_enqueue_json(client, message, -1, NULL, NULL);
    if (status != MONA_OK)
        fprintf(stderr, "worker %d, request %d: %s\n", worker, request, mona_status_name(status));
    return status == MONA_OK;
}

/* The life of a worker; its exit status is 0 when all went well. */
static int work(mona_client *client, int worker)
{
    int served = 0;
    for (int request = 0; request < REQUESTS; request++)
        served += serve(client, worker, request);

    char *document = NULL;
    mona_client_close(client, CLOSE_TIMEOUT_MS, &document);
    printf("worker %d: %d served, closed: %s\n", worker, served, document);
    mona_string_free(document);
    mona_client_free(client);
    return served == REQUESTS ? 0 : 1;
}

int main(void)
{
    mona_client *client = NULL;
    char *document = NULL;
    mona_status status = mona_client_new(NULL, &client, &document);
    if (status != MONA_OK || !mona_client_is_active(client)) {
        fprintf(stderr, "no login: %s %s\n", mona_status_name(status), document);
        mona_string_free(document);
        mona_client_free(client);
        return 1;
    }
    mona_string_free(document);

    for (int worker = 0; worker < WORKERS; worker++) {
        pid_t pid = fork();
        if (pid == 0)
            return work(client, worker);
        if (pid < 0)
            perror("fork");
    }
    int outcome, failed = 0;
    while (wait(&outcome) > 0)
        failed += !WIFEXITED(outcome) || WEXITSTATUS(outcome) != 0;
    printf("%d workers, %d failed\n", WORKERS, failed);

    mona_client_free(client);
    return failed == 0 ? 0 : 1;
}

/* The service forgets all tokens while many threads of many forked children send: each process logs in once, and every
 * message arrives. */
#include "check.h"
#include "sandbox.h"
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}"
#define LOGIN "/identity/resources/auth/v1/api-token"

enum { CHILDREN = 8, THREADS = 64 };

static mona_client *client;

static void *send_two(void *nothing)
{
    (void)nothing;
    CHECK(mona_enqueue_json(client, MESSAGE, -1, NULL, NULL) == MONA_OK);
    CHECK(mona_export_json(client, MESSAGE, -1, NULL, NULL) == MONA_OK);
    return NULL;
}

static void child(int start)
{
    pthread_t threads[THREADS];
    char byte;
    /* Until the tokens are forgotten. */
    CHECK(read(start, &byte, 1) == 0);
    for (int n = 0; n < THREADS; n++)
        CHECK(pthread_create(&threads[n], NULL, send_two, NULL) == 0);
    for (int n = 0; n < THREADS; n++)
        pthread_join(threads[n], NULL);
    CHECK_CALL(MONA_OK, mona_flush(client, -1, fresh()));
    exit(0);
}

int main(void)
{
    char rules[512];
    int start[2];
    client = new_client("{\"should_use_refresh_tokens\": false, \"num_of_retries_for_authentication\": 0}");
    CHECK_CALL(MONA_OK, mona_export_json(client, MESSAGE, -1, NULL, fresh()));
    CHECK(pipe(start) == 0);
    pid_t children[CHILDREN];
    for (int n = 0; n < CHILDREN; n++) {
        children[n] = fork();
        if (children[n] == 0) {
            close(start[1]);
            child(start[0]);
        }
    }
    sandbox_reset();
    /* A second login of any of them would find the door closed. */
    snprintf(rules, sizeof rules,
             "[{\"path\": \"" LOGIN "\", \"times\": %d, \"handle\": true}, {\"path\": \"" LOGIN "\", \"status\": 400}]",
             CHILDREN);
    sandbox_rules(rules);
    close(start[0]);
    close(start[1]);
    for (int n = 0; n < CHILDREN; n++) {
        int ended;
        CHECK(waitpid(children[n], &ended, 0) == children[n]);
        CHECK(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
    }
    CHECK(sandbox_count("messages") == 2L * CHILDREN * THREADS);
    mona_client_free(client);
    fresh();
    return 0;
}

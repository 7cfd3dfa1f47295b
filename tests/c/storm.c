/* The service forgets all tokens, twice, or lets nobody in for a while, while many threads of many forked children send: every
 * message arrives, each process asks for a token once each time, and the log tells none. */
#include "check.h"
#include "sandbox.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}"
#define LOGIN "/identity/resources/auth/v1/api-token"
/* What every JSON Web Token begins with. */
#define TOKEN "eyJ"

enum { CHILDREN = 8, THREADS = 64, ROUNDS = 2, DEBUG = 10, PATIENCE_SECONDS = 120 };

static mona_client *client;
static atomic_int records;

static void look_for_tokens(int32_t level, const char *logger, const char *message, void *nothing)
{
    (void)level, (void)logger, (void)nothing;
    records++;
    CHECK(strstr(message, TOKEN) == NULL);
}

static void *enqueue(void *nothing)
{
    (void)nothing;
    CHECK(mona_enqueue_json(client, MESSAGE, -1, NULL, NULL) == MONA_OK);
    return NULL;
}

static void *enqueue_and_export(void *nothing)
{
    CHECK(mona_export_json(client, MESSAGE, -1, NULL, NULL) == MONA_OK);
    return enqueue(nothing);
}

static void child(int starts[ROUNDS][2], int done, void *(*send)(void *))
{
    pthread_t threads[THREADS];
    char byte;
    for (int round = 0; round < ROUNDS; round++) {
        /* Until the parent has closed the doors. */
        CHECK(read(starts[round][0], &byte, 1) == 0);
        for (int n = 0; n < THREADS; n++)
            CHECK(pthread_create(&threads[n], NULL, send, NULL) == 0);
        for (int n = 0; n < THREADS; n++)
            pthread_join(threads[n], NULL);
        CHECK_CALL(MONA_OK, mona_flush(client, -1, fresh()));
        CHECK(write(done, "", 1) == 1);
    }
    /* Says that there is nothing to send. */
    CHECK_CALL(MONA_OK, mona_export_json(client, "[]", -1, NULL, fresh()));
    CHECK(records > 0);
    exit(0);
}

/* Has all children send, each time as soon as the sandbox, which forgets its tokens, has these rules. */
static void storm(const char *rules, void *(*send)(void *), long messages)
{
    int starts[ROUNDS][2], done[2];
    pid_t children[CHILDREN];
    char byte;
    for (int round = 0; round < ROUNDS; round++)
        CHECK(pipe(starts[round]) == 0);
    CHECK(pipe(done) == 0);
    for (int n = 0; n < CHILDREN; n++) {
        children[n] = fork();
        if (children[n] == 0) {
            for (int round = 0; round < ROUNDS; round++)
                close(starts[round][1]);
            child(starts, done[1], send);
        }
    }
    close(done[1]);
    for (int round = 0; round < ROUNDS; round++) {
        sandbox_reset();
        sandbox_rules(rules);
        close(starts[round][0]);
        close(starts[round][1]);
        for (int n = 0; n < CHILDREN; n++)
            CHECK(read(done[0], &byte, 1) == 1);
        CHECK(sandbox_count("messages") == messages);
    }
    close(done[0]);
    for (int n = 0; n < CHILDREN; n++) {
        int ended;
        CHECK(waitpid(children[n], &ended, 0) == children[n]);
        CHECK(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
    }
}

int main(void)
{
    /* A child that fails has its parent wait. */
    alarm(PATIENCE_SECONDS);
    /* A second login of any child would find the door closed. */
    char one_login_each[512], shut_for_a_while[640];
    snprintf(one_login_each, sizeof one_login_each,
             "{\"path\": \"" LOGIN "\", \"times\": %d, \"handle\": true}, {\"path\": \"" LOGIN "\", \"status\": 400}",
             CHILDREN);
    snprintf(shut_for_a_while, sizeof shut_for_a_while,
             "[%s, {\"path\": \"/export\", \"times\": %d, \"status\": 403}]", one_login_each, 2 * CHILDREN);
    CHECK(mona_set_log_callback(look_for_tokens, NULL, NULL, DEBUG) == MONA_OK);
    char rules[520];
    snprintf(rules, sizeof rules, "[%s]", one_login_each);
    client = new_client("{\"should_use_refresh_tokens\": false, \"num_of_retries_for_authentication\": 0,"
                        " \"queue\": {\"pause_first_ms\": 1, \"pause_longest_ms\": 2}}");
    CHECK_CALL(MONA_OK, mona_export_json(client, MESSAGE, -1, NULL, fresh()));
    storm(rules, enqueue_and_export, 2L * CHILDREN * THREADS);
    storm(shut_for_a_while, enqueue, 1L * CHILDREN * THREADS);

    mona_client_free(client);
    fresh();
    return 0;
}

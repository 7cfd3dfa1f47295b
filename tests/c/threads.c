/* One client serves 16 threads at once, and no message is lost or counted twice. */
#include "check.h"
#include "sandbox.h"
#include <pthread.h>

enum { THREADS = 16, CALLS = 25 };

static mona_client *client;

static void *exporting(void *number)
{
    for (int call = 0; call < CALLS; call++) {
        char json[128], *answer = NULL;
        snprintf(json, sizeof json,
                 "{\"contextClass\": \"C\", \"contextId\": \"%d-%d\", \"message\": {\"a\": 1}}",
                 *(int *)number, call);
        CHECK(mona_export_json(client, json, -1, NULL, &answer) == MONA_OK);
        CHECK(strstr(answer, "\"sent\":1") != NULL);
        mona_string_free(answer);
        CHECK(mona_service_call(client, "get_config", "{}", -1, NULL, NULL) == MONA_OK);
        CHECK(mona_client_is_active(client) == 1);
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];
    /* The first calls log in, all at once: there must be one login. */
    client = new_client("{\"authenticate_on_init\": false}");
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&threads[i], NULL, exporting, &numbers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(sandbox_count("messages") == THREADS * CALLS);
    CHECK(sandbox_count("requests") == 1 + 2 * THREADS * CALLS);
    mona_client_free(client);
    fresh();
    return 0;
}

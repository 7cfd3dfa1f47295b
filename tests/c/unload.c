/* dlclose, after a client was freed and with calls in flight, unmaps nothing that still runs; the library loaded again is the
 * same one. Not linked with the library: MONA_LIBRARY is its path. */
#include <dlfcn.h>
#include <mona.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define MESSAGE "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}"

static void check(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "tests/c/unload.c: not so: %s\n", what);
        exit(1);
    }
}

static void *library;

/* ISO C has no conversion from an object pointer to a function pointer, POSIX has. */
#define FUNCTION(name, result, arguments) \
    static result(*name(void)) arguments \
    { \
        result(*function) arguments; \
        *(void **)&function = dlsym(library, "mona_" #name); \
        check(function != NULL, #name); \
        return function; \
    }

FUNCTION(client_new, mona_status, (const char *, mona_client **, char **))
FUNCTION(client_free, void, (mona_client *))
FUNCTION(export_json, mona_status, (mona_client *, const char *, int64_t, const char *, char **))
FUNCTION(enqueue_json, mona_status, (mona_client *, const char *, int64_t, const char *, char **))

static void load(void)
{
    library = dlopen(getenv("MONA_LIBRARY"), RTLD_NOW | RTLD_LOCAL);
    check(library != NULL, "the library is loaded");
}

static mona_client *new_client(void)
{
    mona_client *client;
    check(client_new()(NULL, &client, NULL) == MONA_OK, "a client is made");
    return client;
}

static mona_status (*export)(mona_client *, const char *, int64_t, const char *, char **);

static void *exporting(void *client)
{
    for (int n = 0; n < 200; n++)
        check(export(client, MESSAGE, -1, NULL, NULL) == MONA_OK, "an export succeeds");
    return NULL;
}

static void unload_after_free(void)
{
    load();
    mona_client *client = new_client();
    check(export_json()(client, MESSAGE, -1, NULL, NULL) == MONA_OK, "an export succeeds");
    check(enqueue_json()(client, MESSAGE, -1, NULL, NULL) == MONA_OK, "a message is accepted");
    client_free()(client);
    check(dlclose(library) == 0, "dlclose");
}

static void unload_with_calls_in_flight(void)
{
    pthread_t threads[3];
    load();
    export = export_json();
    mona_client *client = new_client();
    check(enqueue_json()(client, MESSAGE, -1, NULL, NULL) == MONA_OK, "a message is accepted");
    void (*free_client)(mona_client *) = client_free();
    for (int n = 0; n < 3; n++)
        check(pthread_create(&threads[n], NULL, exporting, client) == 0, "a thread");
    check(dlclose(library) == 0, "dlclose");
    for (int n = 0; n < 3; n++)
        pthread_join(threads[n], NULL);
    free_client(client);
}

int main(void)
{
    for (int n = 0; n < 20; n++)
        unload_after_free();
    unload_with_calls_in_flight();
    unload_after_free();
    load();
    new_client(); /* left to the end of the program */
    check(dlclose(library) == 0, "dlclose");
    return 0;
}

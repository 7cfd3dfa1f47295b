/* Where the system has no thread or no descriptor to spare, a call says so, and the same call works when it has.
 *
 * pthread_create below takes the place of the C library's, for the library under test too. */
#define _GNU_SOURCE
#include "check.h"
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#define MESSAGE "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}"
#define NO_LOGIN "\"auth_mode\": \"NO_AUTH\", \"user_id\": \"u\""

static atomic_int no_threads;

typedef int starting(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *argument)
{
    static starting *real;
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    return no_threads ? EAGAIN : real(thread, attributes, run, argument);
}

static void says_so(mona_status expected, mona_status status, const char *kind)
{
    CHECK_CALL(expected, status);
    CHECK_DOCUMENT(kind);
    CHECK_DOCUMENT("\"retriable\":true");
}

static void calls_without_a_thread(void)
{
    mona_client *client = new_client("{" NO_LOGIN "}");
    no_threads = 1;
    says_so(MONA_ERROR_QUEUE_FULL, mona_enqueue_json(client, MESSAGE, -1, NULL, fresh()),
            "\"resources\"");
    CHECK_CALL(MONA_OK, mona_stats_json(client, fresh()));
    CHECK_DOCUMENT("\"refused\":1");
    says_so(MONA_ERROR_QUEUE_FULL, mona_export_json_async(client, MESSAGE, -1, NULL, 1, fresh()),
            "\"resources\"");
    says_so(MONA_FAILED, mona_export_json(client, MESSAGE, -1, NULL, fresh()),
            "\"connection\"");
    no_threads = 0;
    CHECK_CALL(MONA_OK, mona_enqueue_json(client, MESSAGE, -1, NULL, fresh()));
    CHECK_CALL(MONA_OK, mona_export_json_async(client, MESSAGE, -1, NULL, 1, fresh()));
    CHECK_CALL(MONA_OK, mona_export_json(client, MESSAGE, -1, NULL, fresh()));
    CHECK_CALL(MONA_OK, mona_client_close(client, -1, fresh()));
    CHECK_DOCUMENT("\"undelivered\":0");
    mona_client_free(client);
}

static void a_client_without_a_thread_or_a_descriptor(void)
{
    char folder[] = "/tmp/mona-resources-XXXXXX", config[256];
    struct rlimit enough, none;
    mona_client *client;
    CHECK(mkdtemp(folder) != NULL);
    snprintf(config, sizeof config, "{" NO_LOGIN ", \"queue\": {\"spool_dir\": \"%s\"}}", folder);
    no_threads = 1;
    says_so(MONA_ERROR_INITIALIZATION, mona_client_new(config, &client, fresh()), "\"resources\"");
    no_threads = 0;
    CHECK(client == NULL && getrlimit(RLIMIT_NOFILE, &enough) == 0);
    none = enough;
    none.rlim_cur = 0;
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    says_so(MONA_ERROR_INITIALIZATION, mona_client_new(config, &client, fresh()), "\"resources\"");
    CHECK(client == NULL && setrlimit(RLIMIT_NOFILE, &enough) == 0);
    CHECK_CALL(MONA_OK, mona_client_new(config, &client, fresh()));
    mona_client_free(client);
    snprintf(config, sizeof config, "rm -r %s", folder);
    CHECK(system(config) == 0);
}

int main(void)
{
    calls_without_a_thread();
    a_client_without_a_thread_or_a_descriptor();
    fresh();
    return 0;
}

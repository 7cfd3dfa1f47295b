/* What accepting and exporting cost as something grows: one line of JSON.
 *
 *     scaling LIBRARY FILE.jsonl WHAT SIZE
 *
 * WHAT grows to SIZE:
 *   threads  that enqueue single messages at one client         export_threads  that export batches of 100 through one client
 *   call     messages enqueued by one call                      export_call     messages exported by one call
 *   clients  that single messages are enqueued at in turn       queue           messages that wait, enqueued singly
 *   full     messages that wait where each new one drops the oldest
 * But for `call`, `queue` and `full`, the number of messages is the same for each size. Exports need the server that the environment
 * names; nothing is delivered of what is enqueued. CPU time is the process's, memory what it added. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <mona.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MESSAGES = 320000, MOST_LINES = 4096, MOST = 64 };

static __typeof__(&mona_client_new) client_new;
static __typeof__(&mona_enqueue_json) enqueue_json;
static __typeof__(&mona_export_json) export_json;
static mona_client *clients[MOST];
static long client_count = 1;
static char *lines[MOST_LINES], *array;
static long lengths[MOST_LINES], array_length, line_count, calls_per_thread;
static __typeof__(&mona_export_json) call;

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double own_bytes(void)
{
    char line[256];
    double value, own = 0;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "Private_Clean: %lf", &value) == 1 || sscanf(line, "Private_Dirty: %lf", &value) == 1)
            own += value * 1024;
    if (file != NULL)
        fclose(file);
    return own;
}

static void read_lines(const char *path)
{
    FILE *file = fopen(path, "r");
    size_t room = 0;
    while (file != NULL && line_count < MOST_LINES
           && (lengths[line_count] = getline(&lines[line_count], &room, file)) > 0) {
        lines[line_count][--lengths[line_count]] = '\0';
        line_count++;
        room = 0;
    }
    if (line_count == 0) {
        fprintf(stderr, "%s: no lines\n", path);
        exit(1);
    }
    fclose(file);
}

static void make_array(long messages)
{
    size_t length = 0;
    FILE *out = open_memstream(&array, &length);
    for (long n = 0; n < messages; n++)
        fprintf(out, "%c%s", n == 0 ? '[' : ',', lines[n % line_count]);
    fputc(']', out);
    fclose(out);
    array_length = (long)length;
}

static void load(const char *path)
{
    void *library = dlopen(path, RTLD_NOW);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    *(void **)&client_new = dlsym(library, "mona_client_new");
    *(void **)&enqueue_json = dlsym(library, "mona_enqueue_json");
    *(void **)&export_json = dlsym(library, "mona_export_json");
}

static mona_client *open_client(int exports, const char *overflow, long most)
{
    char config[512], *document = NULL;
    mona_client *client;
    snprintf(config, sizeof config,
             "{\"auth_mode\": \"NO_AUTH\", \"user_id\": \"u\", \"should_use_ssl\": false, %s \"queue\": {\"linger_ms\": 3600000,"
             " \"max_messages\": %ld, \"max_bytes\": 4000000000, \"overflow\": \"%s\"}}",
             exports ? "" : "\"override_rest_api_host\": \"127.0.0.1:9\",", most, overflow);
    if (client_new(config, &client, &document) != MONA_OK) {
        fprintf(stderr, "%s\n", document);
        exit(1);
    }
    return client;
}

static void check(mona_status status)
{
    if (status != MONA_OK) {
        fprintf(stderr, "a call returned %d\n", status);
        exit(1);
    }
}

static void *run(void *argument)
{
    long first = (long)argument;
    for (long n = first; n < first + calls_per_thread; n++) {
        mona_client *client = clients[n % client_count];
        if (array != NULL)
            check(call(client, array, array_length, NULL, NULL));
        else
            check(call(client, lines[n % line_count], lengths[n % line_count], NULL, NULL));
    }
    return NULL;
}

static void run_threads(long threads)
{
    pthread_t ids[MOST];
    for (long n = 0; n < threads; n++)
        pthread_create(&ids[n], NULL, run, (void *)(n * calls_per_thread));
    for (long n = 0; n < threads; n++)
        pthread_join(ids[n], NULL);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: scaling LIBRARY FILE.jsonl WHAT SIZE\n");
        return 2;
    }
    const char *what = argv[3];
    long size = atol(argv[4]), threads = 1, messages = MESSAGES, per_call = 1;
    int exports = strncmp(what, "export", 6) == 0, full = strcmp(what, "full") == 0;
    if (strcmp(what, "threads") == 0 || strcmp(what, "export_threads") == 0) {
        threads = size;
        per_call = exports ? 100 : 1;
    } else if (strcmp(what, "call") == 0 || strcmp(what, "export_call") == 0) {
        per_call = size;
        messages = size > MESSAGES ? size : MESSAGES / (exports && size < 1000 ? 100 : 1) / size * size;
    } else if (strcmp(what, "clients") == 0) {
        client_count = size;
    } else if (strcmp(what, "queue") == 0) {
        messages = size;
    }
    read_lines(argv[2]);
    if (per_call > 1)
        make_array(per_call);
    load(argv[1]);
    call = exports ? export_json : enqueue_json;
    double before = own_bytes();
    for (long n = 0; n < client_count; n++)
        clients[n] = open_client(exports, full ? "drop_oldest" : "reject", full ? size : 4000000);
    calls_per_thread = full ? size : client_count;
    if (per_call < 1000 && strcmp(what, "queue") != 0) /* what is done once is not counted where it would count */
        run(0);
    double cpu = cpu_seconds();
    calls_per_thread = messages / per_call / threads;
    run_threads(threads);
    cpu = cpu_seconds() - cpu;
    printf("{\"cpu_ns\": %.1f, \"own_bytes\": %.0f, \"messages\": %ld}\n", cpu * 1e9 / (double)messages, own_bytes() - before,
           messages);
    fflush(stdout);
    _Exit(0); /* nobody waits for a server that is not there */
}

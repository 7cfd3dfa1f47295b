/* How long a client takes to begin where a program left much behind:
 *
 *     backlog FOLDER
 *
 * FOLDER is a spool, filled by `enqueue os`. Prints the milliseconds from mona_client_new to the first accepted message,
 * those until what was left is counted, and the memory that all of it took. */
#include <mona.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static long resident_kib(void)
{
    long total, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%ld %ld", &total, &resident) != 2)
        exit(1);
    fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

int main(int argc, char **argv)
{
    char config[512], *document = NULL;
    mona_client *client;
    if (argc != 2) {
        fprintf(stderr, "usage: backlog FOLDER\n");
        return 2;
    }
    snprintf(config, sizeof config,
             "{\"auth_mode\": \"NO_AUTH\", \"user_id\": \"u\", \"should_use_ssl\": false,"
             " \"override_rest_api_host\": \"127.0.0.1:9\", \"queue\": {\"spool_dir\": \"%s\","
             " \"spool_max_bytes\": 4000000000, \"spool_keep_free_bytes\": 0, \"linger_ms\": 60000}}",
             argv[1]);
    long before = resident_kib();
    double start = milliseconds();
    if (mona_client_new(config, &client, &document) != MONA_OK ||
        mona_enqueue_json(client, "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}", -1, NULL, NULL) != MONA_OK) {
        fprintf(stderr, "%s\n", document);
        return 1;
    }
    double first = milliseconds() - start;
    int recovered = 0;
    while (!recovered) {
        mona_string_free(document);
        if (mona_stats_json(client, &document) != MONA_OK)
            return 1;
        recovered = strstr(document, "\"recovered\":0,") == NULL;
    }
    printf("{\"first_ms\": %.2f, \"recovered_ms\": %.0f, \"resident_kib\": %ld}\n", first, milliseconds() - start,
           resident_kib() - before);
    fflush(stdout);
    _Exit(0);
}

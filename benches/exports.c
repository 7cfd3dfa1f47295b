/* Exports messages that are prepared beforehand, and prints what that cost: one line of JSON.
 *
 *     exports LIBRARY FILE.jsonl CALLS MESSAGES_PER_CALL
 *
 * The account comes from the environment. The start is from before the library is loaded until the first message is accepted,
 * login and connection included; memory is what all of it added to the process. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <mona.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static __typeof__(&mona_client_new) client_new;
static __typeof__(&mona_export_json) export_json;
static mona_client *client;

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Resident memory in KiB: all of it, and what belongs to this process alone. */
static void memory(long *resident, long *own)
{
    char line[256];
    long value;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    *resident = *own = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "Rss: %ld", &value) == 1)
            *resident = value;
        else if (sscanf(line, "Private_Clean: %ld", &value) == 1 || sscanf(line, "Private_Dirty: %ld", &value) == 1)
            *own += value;
    }
    if (file != NULL)
        fclose(file);
}

/* A JSON array of so many lines of the file, which is read again from its start where it ends; one line without brackets. */
static char *messages_of(FILE *file, int messages)
{
    static char *line;
    static size_t room;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    for (int count = 0; count < messages;) {
        ssize_t size = getline(&line, &room, file);
        if (size < 0) {
            rewind(file);
            continue;
        }
        fprintf(out, "%s%.*s", messages == 1 ? "" : count == 0 ? "[" : ",", (int)size - 1, line);
        count++;
    }
    fputs(messages == 1 ? "" : "]", out);
    fclose(out);
    return text;
}

static void start(const char *path)
{
    char *document = NULL;
    void *library = dlopen(path, RTLD_NOW);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    *(void **)&client_new = dlsym(library, "mona_client_new");
    *(void **)&export_json = dlsym(library, "mona_export_json");
    if (client_new(NULL, &client, &document) != MONA_OK) {
        fprintf(stderr, "no client: %s\n", document);
        exit(1);
    }
    ((__typeof__(&mona_string_free))dlsym(library, "mona_string_free"))(document);
}

static void export(const char *messages)
{
    char *document = NULL;
    if (export_json(client, messages, -1, NULL, NULL) != MONA_OK) {
        export_json(client, messages, -1, NULL, &document);
        fprintf(stderr, "not accepted: %s\n", document);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    FILE *file = argc == 5 ? fopen(argv[2], "r") : NULL;
    if (file == NULL) {
        fprintf(stderr, "usage: exports LIBRARY FILE.jsonl CALLS MESSAGES_PER_CALL\n");
        return 2;
    }
    int calls = atoi(argv[3]), messages = atoi(argv[4]);
    char **prepared = calloc((size_t)calls + 1, sizeof *prepared);
    for (int n = 0; n <= calls; n++)
        prepared[n] = messages_of(file, messages);
    fclose(file);

    long resident_before, own_before, resident, own;
    memory(&resident_before, &own_before);
    double began = seconds(CLOCK_MONOTONIC);
    start(argv[1]);
    export(prepared[calls]);
    double first = seconds(CLOCK_MONOTONIC) - began;
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
    for (int n = 0; n < calls; n++)
        export(prepared[n]);
    wall = seconds(CLOCK_MONOTONIC) - wall;
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    memory(&resident, &own);
    double total = (double)calls * messages;
    printf("{\"start_ms\": %.3f, \"cpu_us\": %.4f, \"wall_us\": %.4f, \"messages_per_s\": %.0f, \"resident_mib\": %.3f, \"own_mib\": %.3f}\n", first * 1e3,
           cpu / total * 1e6, wall / total * 1e6, total / wall, (double)(resident - resident_before) / 1024,
           (double)(own - own_before) / 1024);
    return 0;
}

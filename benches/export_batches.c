/* Exports batches of messages, prepared beforehand, and prints what that cost: one line of JSON.
 * Usage: export_batches FILE.jsonl BATCHES MESSAGES_PER_BATCH; the account comes from the environment. */
#include <mona.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* One batch: a JSON array of so many lines of the file, which is read again from its start where it ends. */
static char *batch_of(FILE *file, int messages)
{
    static char line[1 << 16];
    size_t length = 0, room = 1 << 20;
    char *batch = malloc(room);
    for (int count = 0; batch != NULL && count < messages;) {
        if (fgets(line, sizeof line, file) == NULL) {
            rewind(file);
            continue;
        }
        size_t size = strcspn(line, "\n");
        if (length + size + 3 > room) {
            room *= 2;
            batch = realloc(batch, room);
            if (batch == NULL) {
                return NULL;
            }
        }
        batch[length++] = count == 0 ? '[' : ',';
        memcpy(batch + length, line, size);
        length += size;
        batch[length] = '\0';
        count++;
    }
    if (batch != NULL) {
        strcpy(batch + length, "]");
    }
    return batch;
}

int main(int argc, char **argv)
{
    FILE *file = argc == 4 ? fopen(argv[1], "r") : NULL;
    if (file == NULL) {
        fprintf(stderr, "usage: export_batches FILE.jsonl BATCHES MESSAGES_PER_BATCH\n");
        return 2;
    }
    int batches = atoi(argv[2]), messages = atoi(argv[3]);
    char **prepared = calloc((size_t)batches + 1, sizeof *prepared);
    for (int n = 0; prepared != NULL && n < batches; n++) {
        prepared[n] = batch_of(file, messages);
    }
    mona_client *client = NULL;
    char *document = NULL;
    if (prepared == NULL || mona_client_new(NULL, &client, &document) != MONA_OK
        || !mona_client_is_active(client)) {
        fprintf(stderr, "no client: %s\n", document);
        return 1;
    }
    mona_string_free(document);

    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
    for (int n = 0; n < batches; n++) {
        if (mona_export_json(client, prepared[n], -1, NULL, NULL) != MONA_OK) {
            fprintf(stderr, "batch %d was not accepted\n", n);
            return 1;
        }
    }
    double total = (double)batches * messages;
    printf("{\"cpu_us_per_message\": %.3f, \"wall_us_per_message\": %.3f}\n",
           (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) / total * 1e6,
           (seconds(CLOCK_MONOTONIC) - wall) / total * 1e6);

    mona_client_free(client);
    for (int n = 0; n < batches; n++) {
        free(prepared[n]);
    }
    free(prepared);
    fclose(file);
    return 0;
}

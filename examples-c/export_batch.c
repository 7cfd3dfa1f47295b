/* Exports a file of messages, one JSON object a line, in batches:
 *
 *     export_batch examples-c/data/inference.jsonl 100
 *
 * The account is taken from the environment (docs/configuration.md). */
#define _POSIX_C_SOURCE 200809L /* getline */
#include <mona.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct counts {
    long sent, failed;
};

/* A number of the document. A real program would use its JSON library. */
static long number(const char *document, const char *name)
{
    const char *member = strstr(document, name);
    return member == NULL ? 0 : strtol(member + strlen(name), NULL, 10);
}

/* Sends one batch: a JSON array, its length known, of so many messages. */
static void send_batch(mona_client *client, const char *json, size_t length, long messages, struct counts *counts)
{
    char *document = NULL;
    mona_status status = mona_export_json(client, json, (int64_t)length, NULL, &document);
    if (status != MONA_OK)
        fprintf(stderr, "%s %s\n", mona_status_name(status), document);
    if (strstr(document, "\"failed\":") != NULL) {
        counts->sent += number(document, "\"sent\":");
        counts->failed += number(document, "\"failed\":");
    } else {
        /* The call itself was wrong, because of a line that is no JSON perhaps: nothing was sent. */
        counts->failed += messages;
    }
    mona_string_free(document);
}

/* Writes an array of at most `limit` lines to memory; its number of lines. */
static long read_batch(FILE *file, long limit, FILE *memory)
{
    char *line = NULL;
    size_t capacity = 0;
    long lines = 0;
    while (lines < limit && getline(&line, &capacity, file) > 0) {
        fputs(lines++ == 0 ? "[" : ",", memory);
        fputs(line, memory);
    }
    fputs("]", memory);
    free(line);
    return lines;
}

static struct counts export_file(mona_client *client, FILE *file, long limit)
{
    struct counts counts = {0, 0};
    long lines;
    do {
        char *json = NULL;
        size_t length = 0;
        FILE *memory = open_memstream(&json, &length);
        if (memory == NULL) {
            perror("export_batch");
            exit(1);
        }
        lines = read_batch(file, limit, memory);
        fclose(memory);
        if (lines > 0)
            send_batch(client, json, length, lines, &counts);
        free(json);
    } while (lines > 0);
    return counts;
}

int main(int argc, char **argv)
{
    FILE *file = argc < 2 ? NULL : fopen(argv[1], "r");
    long limit = argc < 3 ? 1000 : strtol(argv[2], NULL, 10);
    if (file == NULL || limit < 1) {
        fprintf(stderr, "Usage: export_batch FILE [MESSAGES-PER-BATCH]\n");
        return 2;
    }
    mona_client *client = NULL;
    char *document = NULL;
    mona_status status = mona_client_new(NULL, &client, &document);
    if (status != MONA_OK || !mona_client_is_active(client))
        fprintf(stderr, "no login: %s %s\n", mona_status_name(status), document);
    mona_string_free(document);

    struct counts counts = {0, 0};
    if (mona_client_is_active(client))
        counts = export_file(client, file, limit);
    printf("%ld sent, %ld failed\n", counts.sent, counts.failed);

    mona_client_free(client);
    fclose(file);
    return counts.sent > 0 && counts.failed == 0 ? 0 : 1;
}

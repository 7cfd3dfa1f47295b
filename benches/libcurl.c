/* The least that posting ready-made bodies with libcurl costs: one connection that is kept, the same bytes as libmona sends.
 *
 *     libcurl URL FILE.jsonl CALLS MESSAGES_PER_CALL
 *
 * Prints one line of JSON, as exports.c does. */
#define _GNU_SOURCE
#include <curl/curl.h>
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

static char *body_of(FILE *file, int messages, size_t *length)
{
    static char *line;
    static size_t room;
    char *text = NULL;
    FILE *out = open_memstream(&text, length);
    fputs("{\"messages\":[", out);
    for (int count = 0; count < messages;) {
        ssize_t size = getline(&line, &room, file);
        if (size < 0) {
            rewind(file);
            continue;
        }
        fprintf(out, "%s%.*s", count++ == 0 ? "" : ",", (int)size - 1, line);
    }
    fputs("],\"userId\":\"bench\"}", out);
    fclose(out);
    return text;
}

static size_t ignore(char *data, size_t size, size_t count, void *user)
{
    (void)data;
    (void)user;
    return size * count;
}

static void post(CURL *curl, const char *body, size_t length)
{
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
    CURLcode result = curl_easy_perform(curl);
    if (result != CURLE_OK) {
        fprintf(stderr, "%s\n", curl_easy_strerror(result));
        exit(1);
    }
}

int main(int argc, char **argv)
{
    FILE *file = argc == 5 ? fopen(argv[2], "r") : NULL;
    if (file == NULL) {
        fprintf(stderr, "usage: libcurl URL FILE.jsonl CALLS MESSAGES_PER_CALL\n");
        return 2;
    }
    int calls = atoi(argv[3]), messages = atoi(argv[4]);
    char **bodies = calloc((size_t)calls + 1, sizeof *bodies);
    size_t *lengths = calloc((size_t)calls + 1, sizeof *lengths);
    for (int n = 0; n <= calls; n++)
        bodies[n] = body_of(file, messages, &lengths[n]);

    CURL *curl = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Authorization: Bearer token");
    headers = curl_slist_append(headers, "Expect:"); /* no round trip before the body */
    curl_easy_setopt(curl, CURLOPT_URL, argv[1]);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, 2097152L);
    post(curl, bodies[calls], lengths[calls]);
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
    for (int n = 0; n < calls; n++)
        post(curl, bodies[n], lengths[n]);
    wall = seconds(CLOCK_MONOTONIC) - wall;
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    double total = (double)calls * messages;
    printf("{\"cpu_us\": %.4f, \"wall_us\": %.4f, \"messages_per_s\": %.0f}\n", cpu / total * 1e6, wall / total * 1e6,
           total / wall);
    return 0;
}

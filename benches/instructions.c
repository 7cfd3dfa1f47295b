/* Work for callgrind to count: the same calls on the same messages, in functions of their own to toggle on.
 *
 *     valgrind --tool=callgrind --toggle-collect=counted instructions LIBRARY enqueue|stage FILE.jsonl
 *
 * `enqueue` accepts single messages, of the lines of the file in turn; `stage` runs the JSON pass over all of them as one array and
 * enqueues none, because every message is sampled out. Prints how many messages were counted. No server is there. */
#include <dlfcn.h>
#include <mona.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 4, MOST_LINES = 4096 };

static __typeof__(&mona_client_new) client_new;
static __typeof__(&mona_enqueue_json) enqueue_json;
static mona_client *client;
static char *lines[MOST_LINES];
static int line_count;
static char *array;

static void read_lines(const char *path)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0, total = 2;
    while (file != NULL && line_count < MOST_LINES && getline(&line, &room, file) > 0) {
        line[strcspn(line, "\n")] = '\0';
        total += strlen(line) + 1;
        lines[line_count++] = line;
        line = NULL;
    }
    array = calloc(1, total + 1);
    if (line_count == 0 || array == NULL) {
        fprintf(stderr, "%s: no lines\n", path);
        exit(1);
    }
    fclose(file);
    char *end = array;
    for (int n = 0; n < line_count; n++)
        end += sprintf(end, "%c%s", n == 0 ? '[' : ',', lines[n]);
    strcpy(end, "]");
}

static void open_client(const char *library, const char *rate)
{
    char config[512], *document = NULL;
    void *handle = dlopen(library, RTLD_NOW);
    if (handle == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    *(void **)&client_new = dlsym(handle, "mona_client_new");
    *(void **)&enqueue_json = dlsym(handle, "mona_enqueue_json");
    snprintf(config, sizeof config,
             "{\"auth_mode\": \"NO_AUTH\", \"user_id\": \"u\", \"should_use_ssl\": false,"
             " \"override_rest_api_host\": \"127.0.0.1:9\", \"default_sampling_rate\": %s,"
             " \"queue\": {\"linger_ms\": 3600000, \"max_messages\": 1000000, \"max_bytes\": 4000000000}}",
             rate);
    if (client_new(config, &client, &document) != MONA_OK) {
        fprintf(stderr, "%s\n", document);
        exit(1);
    }
}

static void enqueue(const char *messages, size_t length)
{
    if (enqueue_json(client, messages, (int64_t)length, NULL, NULL) != MONA_OK) {
        fprintf(stderr, "not accepted: %s\n", messages);
        exit(1);
    }
}

__attribute__((noinline)) void work(int singly)
{
    for (int n = 0; singly && n < line_count; n++)
        enqueue(lines[n], strlen(lines[n]));
    if (!singly)
        enqueue(array, strlen(array));
}

__attribute__((noinline)) void counted(int singly)
{
    for (int round = 0; round < ROUNDS; round++)
        work(singly);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: instructions LIBRARY enqueue|stage FILE.jsonl\n");
        return 2;
    }
    int singly = strcmp(argv[2], "enqueue") == 0;
    read_lines(argv[3]);
    open_client(argv[1], singly ? "1" : "-1");
    work(singly); /* what is done once is not counted */
    counted(singly);
    printf("%d\n", ROUNDS * line_count);
    fflush(stdout);
    _Exit(0); /* nobody waits for a server that is not there */
}

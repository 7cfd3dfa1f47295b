#include "sandbox.h"
#include "check.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int connected(void)
{
    const char *url = getenv("MONA_SANDBOX_URL");
    CHECK(url != NULL && "run this with scripts/with-sandbox");
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)atoi(strrchr(url, ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

/* All that comes, for the caller to free. */
static char *read_all(int fd)
{
    size_t room = 4096, got = 0;
    char *text = malloc(room);
    ssize_t more;
    while (text != NULL && (more = read(fd, text + got, room - 1 - got)) > 0) {
        got += (size_t)more;
        if (got == room - 1)
            text = realloc(text, room *= 2);
    }
    CHECK(text != NULL);
    text[got] = '\0';
    return text;
}

/* One HTTP request; the whole answer, head and all, for the caller to free. */
static char *ask(const char *method, const char *path, const char *body)
{
    char head[256];
    int length = snprintf(head, sizeof head,
                          "%s %s HTTP/1.1\r\nHost: sandbox\r\nConnection: close\r\n"
                          "Content-Length: %zu\r\n\r\n",
                          method, path, strlen(body));
    int fd = connected();
    CHECK(write(fd, head, (size_t)length) == length);
    CHECK(write(fd, body, strlen(body)) == (ssize_t)strlen(body));
    char *answer = read_all(fd);
    close(fd);
    check_that(strncmp(answer, "HTTP/1.1 200", 12) == 0, __FILE__, __LINE__, path, answer);
    return answer;
}

void sandbox_rules(const char *rules_json)
{
    free(ask("POST", "/sandbox/rules", rules_json));
}

void sandbox_reset(void)
{
    free(ask("POST", "/sandbox/reset", ""));
}

char *sandbox_requests(void)
{
    return ask("GET", "/sandbox/requests", "");
}

void sandbox_forget_rules(void)
{
    free(ask("DELETE", "/sandbox/rules", ""));
}

long sandbox_count(const char *name)
{
    char *answer = ask("GET", "/sandbox/health", ""), key[64];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *member = strstr(answer, key);
    check_that(member != NULL, __FILE__, __LINE__, name, answer);
    long count = strtol(member + strlen(key), NULL, 10);
    free(answer);
    return count;
}

/* Asks again and again: ctest bounds how long. */
void sandbox_wait(const char *name, long at_least)
{
    while (sandbox_count(name) < at_least)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

void sandbox_delay_next_export(int delay_ms)
{
    char rule[160];
    snprintf(rule, sizeof rule,
             "{\"path\": \"/export\", \"times\": 1, \"delay_ms\": %d,"
             " \"json\": {\"total\": 1, \"failed\": 0, \"failure_reasons\": {}}}",
             delay_ms);
    sandbox_rules(rule);
}

static void *exporting(void *client)
{
    static mona_status status;
    status = mona_export_json(client, "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}", -1, NULL, NULL);
    return &status;
}

pthread_t sandbox_export_under_way(mona_client *client, int delay_ms)
{
    pthread_t thread;
    long requests = sandbox_count("requests");
    sandbox_delay_next_export(delay_ms);
    CHECK(pthread_create(&thread, NULL, exporting, client) == 0);
    sandbox_wait("requests", requests + 1);
    return thread;
}

mona_status sandbox_export_ended(pthread_t thread)
{
    void *status;
    CHECK(pthread_join(thread, &status) == 0);
    return *(mona_status *)status;
}

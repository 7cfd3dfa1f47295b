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

/* One HTTP request; the whole answer, head and all, in `answer`. */
static void ask(const char *method, const char *path, const char *body, char answer[4096])
{
    char head[256];
    int length = snprintf(head, sizeof head,
                          "%s %s HTTP/1.1\r\nHost: sandbox\r\nConnection: close\r\n"
                          "Content-Length: %zu\r\n\r\n",
                          method, path, strlen(body));
    int fd = connected();
    CHECK(write(fd, head, (size_t)length) == length);
    CHECK(write(fd, body, strlen(body)) == (ssize_t)strlen(body));
    size_t got = 0;
    ssize_t more;
    while ((more = read(fd, answer + got, 4095 - got)) > 0)
        got += (size_t)more;
    answer[got] = '\0';
    close(fd);
    check_that(strncmp(answer, "HTTP/1.1 200", 12) == 0, __FILE__, __LINE__, path, answer);
}

void sandbox_rules(const char *rules_json)
{
    char answer[4096];
    ask("POST", "/sandbox/rules", rules_json, answer);
}

long sandbox_count(const char *name)
{
    char answer[4096], key[64];
    ask("GET", "/sandbox/health", "", answer);
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *member = strstr(answer, key);
    check_that(member != NULL, __FILE__, __LINE__, name, answer);
    return strtol(member + strlen(key), NULL, 10);
}

/* Asks again and again: ctest bounds how long. */
void sandbox_wait(const char *name, long at_least)
{
    while (sandbox_count(name) < at_least)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

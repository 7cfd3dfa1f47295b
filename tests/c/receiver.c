#define _GNU_SOURCE
#include "receiver.h"
#include "check.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TEXT = 3000, REQUEST = 1 << 20, ORDER = 1 << 16 };

static atomic_int refuses, arrived;
static atomic_int times[RECEIVER_MESSAGES], order[ORDER];
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static int write_message(char *text, int number, const char *class)
{
    int length = sprintf(text, "{\"contextId\":\"%d\",\"message\":{\"number\":%d,\"text\":\"", number, number);
    for (int n = 0; n < TEXT; n++)
        text[length++] = (char)('a' + (number * 7 + n * n) % 26);
    return length + sprintf(text + length, "\"},\"%s\":\"C\"", class);
}

int receiver_message(char *text, int number)
{
    int length = write_message(text, number, "contextClass");
    return length + sprintf(text + length, "}");
}

/* Every message must be as it was enqueued. */
static int take_in(const char *body)
{
    static const char start[] = "{\"contextId\":\"";
    char expected[TEXT + 256];
    int total = 0;
    CHECK(strncmp(body, "{\"messages\":[", 13) == 0);
    pthread_mutex_lock(&gate);
    for (const char *at = body + 13; strncmp(at, start, sizeof start - 1) == 0; total++) {
        int number = atoi(at + sizeof start - 1);
        CHECK(number >= 0 && number < RECEIVER_MESSAGES);
        int length = write_message(expected, number, "arcClass");
        CHECK(strncmp(at, expected, (size_t)length) == 0);
        at += length;
        at += strcspn(at, "}") + 1;
        at += *at == ',';
        CHECK(arrived < ORDER);
        times[number]++;
        order[arrived] = number;
        arrived++;
    }
    pthread_mutex_unlock(&gate);
    CHECK(total > 0);
    return total;
}

static void *converse(void *number)
{
    int socket = (int)(intptr_t)number;
    char *request = malloc(REQUEST + 1), answer[256], body[64];
    for (CHECK(request != NULL);;) {
        size_t filled = 0;
        const char *start = NULL;
        ssize_t more;
        while ((more = recv(socket, request + filled, REQUEST - filled, 0)) > 0) {
            request[filled += (size_t)more] = '\0';
            const char *length = strcasestr(request, "content-length:");
            start = strstr(request, "\r\n\r\n");
            if (start != NULL && length != NULL && strlen(start + 4) >= (size_t)atol(length + 15))
                break;
        }
        if (more <= 0)
            break;
        int refused = refuses;
        snprintf(body, sizeof body, "{\"total\":%d,\"failed\":0,\"failure_reasons\":{}}", refused ? 0 : take_in(start + 4));
        int length = snprintf(answer, sizeof answer, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", refused ? "503 Busy" : "200 OK",
                              strlen(body), body);
        if (send(socket, answer, (size_t)length, MSG_NOSIGNAL) != length)
            break;
    }
    free(request);
    close(socket);
    return NULL;
}

static void *serve(void *number)
{
    pthread_t thread;
    int socket;
    while ((socket = accept((int)(intptr_t)number, NULL, NULL)) >= 0) {
        CHECK(pthread_create(&thread, NULL, converse, (void *)(intptr_t)socket) == 0);
        pthread_detach(thread);
    }
    return NULL;
}

int receiver_start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    pthread_t thread;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(listener >= 0 && bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 64) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
    CHECK(pthread_create(&thread, NULL, serve, (void *)(intptr_t)listener) == 0);
    pthread_detach(thread);
    return ntohs(address.sin_port);
}

void receiver_refuse(int does)
{
    refuses = does;
}

void receiver_reset(void)
{
    pthread_mutex_lock(&gate);
    memset((void *)times, 0, sizeof times);
    arrived = 0;
    pthread_mutex_unlock(&gate);
}

int receiver_count(void)
{
    return arrived;
}

int receiver_times(int number)
{
    return times[number];
}

int receiver_nth(int n)
{
    return order[n];
}

#include "server.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_BYTES = 16 * 1024, BODY_BYTES = 8 << 20, TOKEN_SECONDS = 6, OUTAGE_SECONDS = 2 };

/* A JSON Web Token without a signature and with {"tenantId":"soak"}, which its number follows. */
#define TOKEN "eyJhbGciOiJub25lIn0.eyJ0ZW5hbnRJZCI6InNvYWsifQ."

/* How a request to export goes. */
enum fate {
    ANSWERED,
    CLOSED_AFTERWARDS,
    OVERLOADED,  /* 503 */
    BROKEN,      /* 500 */
    THROTTLED,   /* 429, Retry-After: 0 */
    PUT_OFF,     /* 429, Retry-After: 1 */
    LOCKED_OUT,  /* 401, and all tokens are void */
    RESET,       /* before anything is read */
    TAKEN_RESET, /* taken in, but the answer is a reset, */
    TAKEN_HALF,  /* or breaks off, */
    TAKEN_HANG,  /* or does not come */
    HANG
};

/* In a thousandth. The rest is answered. */
static const struct {
    enum fate fate;
    int share;
} fates[] = {
    {CLOSED_AFTERWARDS, 20}, {OVERLOADED, 30}, {BROKEN, 10},      {THROTTLED, 15},  {PUT_OFF, 3},    {LOCKED_OUT, 3} ,
    {RESET, 20},             {HANG, 2},        {TAKEN_RESET, 20}, {TAKEN_HALF, 10}, {TAKEN_HANG, 2},
};

struct connection {
    int socket;
    char *buffer;  /* of HEAD_BYTES + BODY_BYTES */
    size_t filled; /* what has arrived */
    char *body;
    size_t body_length;
};

static struct tally *tally;
static atomic_uint chance_state;
/* When each of the latest tokens was given out, and the first that is still good. */
static atomic_long token_times[1 << 16];
static atomic_long tokens = 1, first_good = 1;
static atomic_long outage_until;

static long now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static unsigned chance(unsigned below)
{
    unsigned old = atomic_load(&chance_state), next;
    do
        next = old * 1664525u + 1013904223u;
    while (!atomic_compare_exchange_weak(&chance_state, &old, next));
    return (next >> 8) % below;
}

static enum fate draw(void)
{
    int drawn = (int)chance(1000);
    if (atomic_load(&tally->healthy))
        return ANSWERED;
    for (size_t n = 0; n < sizeof fates / sizeof *fates; n++)
        if ((drawn -= fates[n].share) < 0)
            return fates[n].fate;
    return ANSWERED;
}

/* Closing resets the connection from now on. */
static void reset_at_close(int socket)
{
    struct linger at_once = {.l_onoff = 1};
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

/* Until the client has had enough. */
static void wait_for_close(int socket)
{
    struct pollfd end = {.fd = socket, .events = POLLIN};
    char ignored;
    while (poll(&end, 1, -1) >= 0 && recv(socket, &ignored, 1, 0) > 0) {}
}

/* Whether the connection goes on. */
static bool answer(struct connection *connection, int status, const char *headers, const char *body)
{
    char head[256];
    int length = snprintf(head, sizeof head, "HTTP/1.1 %d Soak\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n", status,
                          strlen(body), headers);
    return send(connection->socket, head, (size_t)length, MSG_NOSIGNAL | MSG_MORE) == length
        && send(connection->socket, body, strlen(body), MSG_NOSIGNAL) == (ssize_t)strlen(body);
}

static bool give_token(struct connection *connection)
{
    char body[256];
    long number = atomic_fetch_add(&tokens, 1);
    atomic_store(&token_times[number % (1 << 16)], now_seconds());
    snprintf(body, sizeof body, "{\"accessToken\":\"" TOKEN "%ld\",\"refreshToken\":\"refresh-%ld\",\"expiresIn\":%d}", number, number,
             TOKEN_SECONDS);
    return answer(connection, 200, "", body);
}

static bool log_in(struct connection *connection, bool is_refresh)
{
    atomic_fetch_add(is_refresh ? &tally->refreshes : &tally->logins, 1);
    unsigned drawn = chance(100);
    if (atomic_load(&tally->healthy) || drawn >= 8)
        return give_token(connection);
    atomic_fetch_add(&tally->faults, 1);
    if (drawn < 3)
        return answer(connection, 503, "", "{\"message\":\"overloaded\"}");
    if (drawn < 6)
        return answer(connection, is_refresh ? 401 : 500, "", "{\"errors\":[\"no\"]}");
    reset_at_close(connection->socket);
    return false;
}

static bool is_let_in(const char *head)
{
    const char *token = strstr(head, TOKEN);
    long number = token == NULL ? 0 : atol(token + strlen(TOKEN));
    return number >= atomic_load(&first_good) && number < atomic_load(&tokens)
        && now_seconds() - atomic_load(&token_times[number % (1 << 16)]) <= TOKEN_SECONDS;
}

static void take_from_child(int index, long number)
{
    unsigned long long bit = 1ull << number;
    if (index < 0 || (size_t)index >= tally->children || number < 0 || number >= CHILD_MESSAGES)
        atomic_fetch_add(&tally->corrupt, 1);
    else if ((atomic_fetch_or(&tally->child[index].arrived, bit) & bit) != 0)
        atomic_fetch_add(&tally->repeated_of_children, 1);
}

static void take(int producer, long number, bool is_answered)
{
    atomic_fetch_add(&tally->taken, 1);
    if (producer >= PRODUCERS) {
        take_from_child(producer - PRODUCERS, number);
        return;
    }
    struct producer *from = &tally->producer[producer];
    if ((size_t)number >= from->arrived.room)
        atomic_fetch_add(&tally->corrupt, 1);
    else if (bits_set(&from->arrived, number))
        atomic_fetch_add(bits_get(&from->unanswered, number) ? &tally->repeated : &tally->repeated_wrongly, 1);
    if (!is_answered)
        bits_set(&from->unanswered, number);
}

/* Takes what is in the body, and writes the answer to it; its status. */
static int take_in(const struct connection *connection, bool is_answered, char *body, size_t size)
{
    static const char start[] = "{\"contextId\":\"";
    char expected[512];
    int total = 0, failed = 0, written = snprintf(body, size, "{\"failure_reasons\":{");
    const char *at = connection->body, *end = connection->body + connection->body_length;
    if (strncmp(at, "{\"messages\":[", 13) != 0 || strstr(at, "\"userId\":\"soak\"") == NULL)
        atomic_fetch_add(&tally->corrupt, 1);
    for (; (at = strstr(at, start)) != NULL; total++) {
        char *rest;
        long producer = strtol(at + strlen(start), &rest, 10), number = strtol(rest + 1, &rest, 10);
        int length = message_write(expected, sizeof expected, (int)producer, number, true);
        if (producer < 0 || number < 0 || end - at < length || memcmp(at, expected, (size_t)length) != 0) {
            atomic_fetch_add(&tally->corrupt, 1);
            at++;
            continue;
        }
        at += length;
        if (message_is_refused((int)producer, number)) {
            atomic_fetch_add(&tally->refused, 1);
            written += snprintf(body + written, size - (size_t)written, "%s\"%d\":{\"contextId\":\"%ld-%ld\",\"reason\":\"soaked\"}",
                                failed == 0 ? "" : ",", total, producer, number);
            failed++;
        } else {
            take((int)producer, number, is_answered);
        }
    }
    snprintf(body + written, size - (size_t)written, "},\"total\":%d,\"failed\":%d}", total, failed);
    return failed == 0 ? 200 : 400;
}

static bool export(struct connection *connection, enum fate fate)
{
    char body[16 * 1024];
    if (!is_let_in(connection->buffer))
        return answer(connection, 401, "", "{\"message\":\"no token of now\"}");
    if (fate != ANSWERED)
        atomic_fetch_add(&tally->faults, 1);
    switch (fate) {
    case OVERLOADED:
        return answer(connection, 503, "", "<html>");
    case BROKEN:
        return answer(connection, 500, "", "{\"message\":\"broken\"}");
    case THROTTLED:
        return answer(connection, 429, "Retry-After: 0\r\n", "{}");
    case PUT_OFF:
        return answer(connection, 429, "Retry-After: 1\r\n", "{}");
    case LOCKED_OUT:
        atomic_store(&first_good, atomic_load(&tokens));
        return answer(connection, 401, "", "{\"message\":\"expired\"}");
    case HANG:
        wait_for_close(connection->socket);
        return false;
    case TAKEN_HANG:
        take_in(connection, false, body, sizeof body);
        wait_for_close(connection->socket);
        return false;
    case TAKEN_RESET:
        take_in(connection, false, body, sizeof body);
        reset_at_close(connection->socket);
        return false;
    case TAKEN_HALF:
        take_in(connection, false, body, sizeof body);
        send(connection->socket, "HTTP/1.1 200 Soak\r\nContent-Length: 90\r\n\r\n{", 42, MSG_NOSIGNAL);
        return false;
    case CLOSED_AFTERWARDS: {
        int status = take_in(connection, true, body, sizeof body);
        answer(connection, status, "Connection: close\r\n", body);
        return false;
    }
    default: {
        int status = take_in(connection, true, body, sizeof body);
        return answer(connection, status, "", body);
    }
    }
}

/* Reads one request into the buffer; false where the connection has ended. */
static bool receive(struct connection *connection)
{
    size_t wanted = 0;
    connection->filled = 0;
    for (;;) {
        char *buffer = connection->buffer;
        size_t limit = wanted > 0 ? wanted : HEAD_BYTES;
        ssize_t more = connection->filled < limit ? recv(connection->socket, buffer + connection->filled, limit - connection->filled, 0) : 0;
        if (more <= 0)
            return false;
        connection->filled += (size_t)more;
        buffer[connection->filled] = '\0';
        char *body = wanted > 0 ? connection->body : strstr(buffer, "\r\n\r\n");
        if (wanted == 0 && body != NULL) {
            const char *length = strcasestr(buffer, "content-length:");
            connection->body = body + 4;
            connection->body_length = length == NULL || length > body ? 0 : strtoul(length + 15, NULL, 10);
            if (connection->body_length > BODY_BYTES)
                return false;
            wanted = (size_t)(connection->body - buffer) + connection->body_length;
        }
        if (wanted > 0 && connection->filled >= wanted)
            return true;
    }
}

static bool handle(struct connection *connection)
{
    atomic_fetch_add(&tally->requests, 1);
    if (!atomic_load(&tally->healthy) && chance(4000) == 0) {
        atomic_fetch_add(&tally->outages, 1);
        atomic_store(&outage_until, now_seconds() + OUTAGE_SECONDS);
    }
    if (!atomic_load(&tally->healthy) && now_seconds() < atomic_load(&outage_until)) {
        reset_at_close(connection->socket);
        return false;
    }
    if (strncmp(connection->buffer, "POST /login ", 12) == 0)
        return log_in(connection, false);
    if (strncmp(connection->buffer, "POST /refresh ", 14) == 0)
        return log_in(connection, true);
    if (strncmp(connection->buffer, "POST /export ", 13) != 0) {
        atomic_fetch_add(&tally->corrupt, 1);
        return answer(connection, 404, "", "{}");
    }
    enum fate fate = draw();
    if (fate == RESET) {
        atomic_fetch_add(&tally->faults, 1);
        reset_at_close(connection->socket);
        return false;
    }
    return export(connection, fate);
}

static void *converse(void *number)
{
    struct connection connection = {.socket = (int)(intptr_t)number, .buffer = malloc(HEAD_BYTES + BODY_BYTES + 1)};
    int one = 1;
    setsockopt(connection.socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    while (connection.buffer != NULL && receive(&connection) && handle(&connection)) {}
    close(connection.socket);
    free(connection.buffer);
    return NULL;
}

_Noreturn void serve(struct tally *shared, unsigned seed)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    tally = shared;
    atomic_store(&chance_state, seed);
    signal(SIGPIPE, SIG_IGN);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) != 0 || listen(listener, 1024) != 0
        || getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        abort();
    atomic_store(&tally->port, ntohs(address.sin_port));
    for (;;) {
        int socket = accept(listener, NULL, NULL);
        pthread_t thread;
        if (socket < 0)
            continue;
        if (pthread_create(&thread, NULL, converse, (void *)(intptr_t)socket) == 0)
            pthread_detach(thread);
        else
            close(socket);
    }
}

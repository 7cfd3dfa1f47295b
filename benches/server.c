/* A loopback server that costs next to nothing, so that it is the client that is measured:
 *
 *     server [CERTIFICATE KEY]
 *
 * Prints {"port": N, "tls_port": N}; ends with its standard input. Reads requests whole and answers each with 200: an access
 * token where the path says so, no failures otherwise. GET /counts tells the connections, requests and bytes so far, its own
 * connection not counted. One thread per connection. */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD = 64 * 1024, SINK = 256 * 1024 };

/* {"alg":"none"}.{"tenantId":"bench","exp":4102444800}. */
static const char token[] = "{\"accessToken\":\"eyJhbGciOiJub25lIn0.eyJ0ZW5hbnRJZCI6ImJlbmNoIiwiZXhwIjo0MTAyNDQ0ODAwfQ.\","
                            "\"refreshToken\":\"r\",\"expires\":\"Fri, 01 Jan 2100 00:00:00 GMT\",\"expiresIn\":86400}";
static const char accepted[] = "{\"failed\":0,\"failure_reasons\":{}}";

static atomic_long connections, requests, body_bytes;
static SSL_CTX *context;

struct connection {
    int socket;
    SSL *tls;
    char head[HEAD + 1];
    size_t have;
    char sink[SINK];
};

static ssize_t receive(struct connection *c, void *into, size_t room)
{
    return c->tls != NULL ? SSL_read(c->tls, into, (int)room) : recv(c->socket, into, room, 0);
}

static int discard(struct connection *c, size_t left)
{
    while (left > 0) {
        size_t most = left < SINK ? left : SINK;
        /* Without TLS the kernel throws it away without copying it. */
        ssize_t got = c->tls != NULL ? SSL_read(c->tls, c->sink, (int)most) : recv(c->socket, NULL, left, MSG_TRUNC);
        if (got <= 0)
            return -1;
        left -= (size_t)got;
    }
    return 0;
}

static int answer(struct connection *c, const char *body)
{
    char text[1024];
    int length = snprintf(text, sizeof text,
                          "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                          strlen(body), body);
    ssize_t sent = c->tls != NULL ? SSL_write(c->tls, text, length)
                                  : send(c->socket, text, (size_t)length, MSG_NOSIGNAL);
    return sent == length ? 0 : -1;
}

/* Reads a head; returns its length, or 0 where the connection ends. */
static size_t read_head(struct connection *c)
{
    for (;;) {
        char *end = memmem(c->head, c->have, "\r\n\r\n", 4);
        if (end != NULL)
            return (size_t)(end - c->head) + 4;
        ssize_t got = c->have < HEAD ? receive(c, c->head + c->have, HEAD - c->have) : 0;
        if (got <= 0)
            return 0;
        c->have += (size_t)got;
    }
}

static int exchange(struct connection *c, int *counted)
{
    size_t head = read_head(c);
    if (head == 0)
        return -1;
    char after = c->head[head];
    c->head[head] = '\0';
    const char *length = strcasestr(c->head, "\ncontent-length:");
    size_t body = length != NULL ? strtoul(length + strlen("\ncontent-length:"), NULL, 10) : 0;
    int continues = strcasestr(c->head, "\nexpect: 100-continue") != NULL;
    int counts = strncmp(c->head, "GET /counts ", 12) == 0;
    int login = memmem(c->head, strcspn(c->head, "\r"), "token", 5) != NULL;
    int last = strcasestr(c->head, "\nconnection: close") != NULL;
    c->head[head] = after;
    size_t here = c->have - head < body ? c->have - head : body;
    c->have -= head + here;
    memmove(c->head, c->head + head + here, c->have);
    if (continues && send(c->socket, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL) != 25)
        return -1;
    if (discard(c, body - here) != 0)
        return -1;
    if (counts) {
        char text[128];
        snprintf(text, sizeof text, "{\"connections\":%ld,\"requests\":%ld,\"body_bytes\":%ld}", connections, requests,
                 body_bytes);
        return answer(c, text);
    }
    connections += !*counted;
    *counted = 1;
    requests++;
    body_bytes += (long)body;
    return answer(c, login ? token : accepted) != 0 || last ? -1 : 0;
}

static void *serve(void *argument)
{
    struct connection *c = argument;
    int counted = 0;
    if (c->tls == NULL || SSL_accept(c->tls) == 1)
        while (exchange(c, &counted) == 0)
            ;
    SSL_free(c->tls);
    close(c->socket);
    free(c);
    return NULL;
}

struct listener {
    int socket, tls;
};

static void *listen_for(void *argument)
{
    struct listener *listener = argument;
    pthread_t thread;
    for (;;) {
        int one = 1, socket = accept(listener->socket, NULL, NULL);
        if (socket < 0)
            continue;
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct connection *c = calloc(1, sizeof *c);
        if (c == NULL)
            exit(1);
        c->socket = socket;
        if (listener->tls) {
            c->tls = SSL_new(context);
            SSL_set_fd(c->tls, socket);
        }
        if (pthread_create(&thread, NULL, serve, c) != 0)
            exit(1);
        pthread_detach(thread);
    }
}

static int start(struct listener *listener)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    pthread_t thread;
    listener->socket = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener->socket, (struct sockaddr *)&address, size) != 0 || listen(listener->socket, 1024) != 0
        || getsockname(listener->socket, (struct sockaddr *)&address, &size) != 0
        || pthread_create(&thread, NULL, listen_for, listener) != 0) {
        perror("listen");
        exit(1);
    }
    return ntohs(address.sin_port);
}

int main(int argc, char **argv)
{
    static struct listener plain, secure = {.tls = 1};
    char byte;
    int tls_port = 0;
    signal(SIGPIPE, SIG_IGN);
    if (argc == 3) {
        context = SSL_CTX_new(TLS_server_method());
        if (SSL_CTX_use_certificate_chain_file(context, argv[1]) != 1
            || SSL_CTX_use_PrivateKey_file(context, argv[2], SSL_FILETYPE_PEM) != 1) {
            fprintf(stderr, "server: the certificate cannot be used\n");
            return 1;
        }
        tls_port = start(&secure);
    }
    printf("{\"port\": %d, \"tls_port\": %d}\n", start(&plain), tls_port);
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    return 0;
}

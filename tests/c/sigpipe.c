/* A host with the default SIGPIPE survives a server that closes in mid-request. */
#include "check.h"
#include "sandbox.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROUNDS = 20, SIZE = 8000000 };

/* A server that answers no request: it reads a little, says that it is done, and then breaks the connection. What the
 * client writes in between makes the system send SIGPIPE. The sandbox reads every request to its end, so cannot do this. */
static void *hanging_up(void *listener)
{
    for (int round = 0; round < ROUNDS; round++) {
        char some[1000];
        int fd = accept(*(int *)listener, NULL, NULL);
        CHECK(fd >= 0 && read(fd, some, sizeof some) > 0);
        struct linger at_once = {.l_onoff = 1, .l_linger = 0};
        shutdown(fd, SHUT_WR);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(fd);
    }
    return NULL;
}

static int listening(char *host, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, length) == 0 && listen(fd, 8) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    snprintf(host, size, "127.0.0.1:%d", ntohs(address.sin_port));
    return fd;
}

static char *large_message(void)
{
    static const char opening[] = "{\"contextClass\": \"C\", \"message\": {\"a\": \"";
    char *json = malloc(SIZE + 100);
    CHECK(json != NULL);
    memcpy(json, opening, sizeof opening);
    memset(json + sizeof opening - 1, 'x', SIZE);
    strcpy(json + sizeof opening - 1 + SIZE, "\"}}");
    return json;
}

static void server_that_hangs_up_in_mid_request(void)
{
    char host[32], config[128];
    int listener = listening(host, sizeof host);
    pthread_t server;
    CHECK(pthread_create(&server, NULL, hanging_up, &listener) == 0);
    snprintf(config, sizeof config, "{\"override_rest_api_host\": \"%s\"}", host);
    mona_client *client = new_client(config);
    char *json = large_message();
    for (int round = 0; round < ROUNDS; round++) {
        CHECK_CALL(MONA_FAILED, mona_export_json(client, json, -1, NULL, fresh()));
        CHECK_DOCUMENT("\"error_kind\":\"connection\",\"retriable\":true");
    }
    CHECK(pthread_join(server, NULL) == 0);
    free(json);
    close(listener);
    mona_client_free(client);
}

static void server_that_drops_the_answer(const char *how)
{
    char rule[128];
    snprintf(rule, sizeof rule, "{\"path\": \"/export\", \"times\": 1, \"drop\": \"%s\"}", how);
    sandbox_rules(rule);
    mona_client *client = new_client(NULL);
    const char *json = "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}";
    CHECK_CALL(MONA_FAILED, mona_export_json(client, json, -1, NULL, fresh()));
    CHECK_DOCUMENT("\"error_kind\":\"connection\",\"retriable\":true");
    CHECK_CALL(MONA_OK, mona_export_json(client, json, -1, NULL, fresh()));
    mona_client_free(client);
}

int main(void)
{
    signal(SIGPIPE, SIG_DFL);
    server_that_hangs_up_in_mid_request();
    server_that_drops_the_answer("before_response");
    server_that_drops_the_answer("reset");
    server_that_drops_the_answer("mid_headers");
    fresh();
    return 0;
}

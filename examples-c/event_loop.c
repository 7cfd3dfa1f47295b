/* One thread, one epoll loop: a model answers every millisecond, each answer is exported without waiting, and the outcomes are collected when
 * the client's descriptor says that there are any.
 *
 * The account is taken from the environment (docs/configuration.md). docs/events.md tells more. */
#define _POSIX_C_SOURCE 200809L
#include <mona.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { ANSWERS = 200 };

struct app {
    mona_client *client;
    int timer, started, ended, failed;
};

/* What this program is there for. The tag of the call finds its way back with the event. */
static void answer(struct app *app)
{
    uint64_t expirations;
    char message[160];
    if (read(app->timer, &expirations, sizeof expirations) < 0 || app->started == ANSWERS)
        return;
    uint64_t tag = (uint64_t)app->started;
    snprintf(message, sizeof message,
             "{\"contextClass\": \"LOAN_APPLICATION\", \"contextId\": \"loan-%d\","
             " \"message\": {\"approved\": true, \"risk\": %.2f}}",
             app->started, app->started % 100 / 100.0);
    mona_status status = mona_export_json_async(app->client, message, -1, NULL, tag, NULL);
    if (status == MONA_ERROR_QUEUE_FULL)
        return; /* the service is behind: again at the next tick */
    if (status != MONA_OK) {
        fprintf(stderr, "answer %d: %s\n", app->started, mona_status_name(status));
        app->ended++;
        app->failed++;
    }
    app->started++;
}

/* Takes every event that waits; never waits for one. */
static void collect(struct app *app)
{
    uint64_t tag;
    char *event;
    while (mona_poll(app->client, 0, &tag, &event) == MONA_OK) {
        /* A real program would use its JSON library. */
        int sent = strstr(event, "\"status\":0,") != NULL;
        if (!sent)
            fprintf(stderr, "answer %llu: %s\n", (unsigned long long)tag, event);
        app->failed += !sent;
        app->ended++;
        mona_string_free(event);
    }
    mona_string_free(event); /* it says why there was no event */
}

static void watch(int loop, int fd)
{
    struct epoll_event interest = {.events = EPOLLIN, .data = {.fd = fd}};
    if (epoll_ctl(loop, EPOLL_CTL_ADD, fd, &interest) != 0) {
        perror("epoll_ctl");
        exit(1);
    }
}

static void run(struct app *app)
{
    struct itimerspec every_millisecond = {{0, 1000000}, {0, 1000000}};
    int loop = epoll_create1(EPOLL_CLOEXEC);
    app->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    timerfd_settime(app->timer, 0, &every_millisecond, NULL);
    watch(loop, app->timer);
    watch(loop, mona_event_fd(app->client));
    while (app->ended < ANSWERS) {
        struct epoll_event ready;
        if (epoll_wait(loop, &ready, 1, -1) != 1)
            continue;
        if (ready.data.fd == app->timer)
            answer(app);
        else
            collect(app);
    }
    close(app->timer);
    close(loop);
}

int main(void)
{
    struct app app = {0};
    char *document = NULL;
    if (mona_client_new(NULL, &app.client, &document) != MONA_OK) {
        fprintf(stderr, "no client: %s\n", document);
        mona_string_free(document);
        return 1;
    }
    mona_string_free(document);
    run(&app);
    printf("%d started, %d ended, %d failed\n", app.started, app.ended, app.failed);
    mona_client_free(app.client);
    return app.failed == 0 ? 0 : 1;
}

/* Programs that live for long: several threads enqueue in memory and on disk, while the server fails at random and a fork
 * happens every second. All that was accepted arrives or is reported, and the process does not grow.
 * The argument is a folder for spools. SOAK_SECONDS, SOAK_RATE (messages a second) and SOAK_SEED (of the server's failures) say how
 * long and how hard. */
#include "../c/check.h"
#include "../c/process.h"
#include "children.h"
#include "samples.h"
#include "server.h"
#include "tally.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 4, TICKS_A_SECOND = 50, MOST_AT_ONCE = 50, FLUSH_MS = 120000, ORPHANS_SECONDS = 180 };

static struct tally *tally;
static mona_client *clients[CLIENTS];
static const char *const names[CLIENTS] = {"memory", "memory", "interval", "always"};
static int seconds, rate;
static atomic_int stop_producing, stop_collecting;
static atomic_long refused_calls, expired_told, dropped_told;
static struct samples samples;
static double start;
/* The longest that the machine kept this program waiting: for its turn, and for the disk. */
static double longest_turn, longest_flush;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static int setting(const char *name, int otherwise)
{
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? atoi(value) : otherwise;
}

static void *produce(void *number)
{
    int index = (int)(intptr_t)number;
    struct producer *producer = &tally->producer[index];
    char *text = malloc(MOST_AT_ONCE * 256);
    double begin = now();
    for (long next = 0; !stop_producing; pause_ms(1000 / TICKS_A_SECOND)) {
        long due = (long)((now() - begin) * rate / PRODUCERS);
        while (next < due && !stop_producing) {
            /* The first half of the producers makes a call for each message, the others for all that are due. */
            long count = index < PRODUCERS / 2 ? 1 : due - next;
            count = count > MOST_AT_ONCE ? MOST_AT_ONCE : count;
            int length = sprintf(text, "[");
            for (long n = 0; n < count; n++) {
                length += message_write(text + length, 256, index, next + n, false);
                text[length++] = n + 1 < count ? ',' : ']';
            }
            mona_status status = mona_enqueue_json(clients[index % CLIENTS], text, length, NULL, NULL);
            if (status == MONA_ERROR_QUEUE_FULL) {
                atomic_fetch_add(&refused_calls, 1);
                break;
            }
            CHECK(status == MONA_OK);
            atomic_store(&producer->accepted, next += count);
        }
    }
    free(text);
    return NULL;
}

static void note(const char *event)
{
    static const char id[] = "\"context_id\":\"";
    for (const char *at = event; (at = strstr(at, id)) != NULL; at++) {
        char *rest;
        long producer = strtol(at + strlen(id), &rest, 10), number = strtol(rest + 1, NULL, 10);
        CHECK(producer >= 0 && producer < PRODUCERS);
        CHECK(!bits_set(&tally->producer[producer].reported, number));
    }
    atomic_fetch_add(&expired_told, member(event, "expired"));
    atomic_fetch_add(&dropped_told, member(event, "dropped"));
}

/* Collects the events of all clients until it is told to stop, and what is there then. */
static void *collect(void *nothing)
{
    struct pollfd ready[CLIENTS];
    for (int n = 0; n < CLIENTS; n++)
        ready[n] = (struct pollfd){.fd = mona_event_fd(clients[n]), .events = POLLIN};
    for (int last = 0; !last;) {
        last = stop_collecting;
        CHECK(poll(ready, CLIENTS, last ? 0 : 1000) >= 0);
        for (int n = 0; n < CLIENTS; n++) {
            char *event;
            while (mona_poll(clients[n], 0, NULL, &event) == MONA_OK) {
                note(event);
                mona_string_free(event);
            }
            mona_string_free(event);
        }
    }
    return nothing;
}

static void make_clients(const char *folder)
{
    char url[128], config[1024];
    int port;
    while ((port = atomic_load(&tally->port)) == 0)
        pause_ms(1);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
    for (int n = 0; n < CLIENTS; n++) {
        char spool[256] = "";
        if (n >= CLIENTS / 2)
            snprintf(spool, sizeof spool, ", \"spool_dir\": \"%s\", \"spool_sync\": \"%s\"", folder, names[n]);
        snprintf(config, sizeof config,
                 "{\"api_key\": \"key\", \"secret\": \"secret\", \"should_use_ssl\": false, \"auth_api_token_url\": \"%s/login\","
                 " \"refresh_token_url\": \"%s/refresh\", \"override_rest_api_host\": \"%s\", \"request_timeout_ms\": 5000,"
                 " \"num_of_retries_for_authentication\": 20, \"wait_time_for_authentication_retries\": 0.05,"
                 " \"queue\": {\"linger_ms\": 100, \"back_off_first_ms\": 10, \"back_off_longest_ms\": 500, \"pause_first_ms\": 20,"
                 " \"pause_longest_ms\": 500, \"exit_timeout_ms\": 300, \"free_timeout_ms\": 300%s}}",
                 url, url, url + strlen("http://"), spool);
        clients[n] = new_client(config);
    }
}

static void start_threads(pthread_t *threads)
{
    for (int n = 0; n < PRODUCERS; n++)
        CHECK(pthread_create(&threads[n], NULL, produce, (void *)(intptr_t)n) == 0);
    CHECK(pthread_create(&threads[PRODUCERS], NULL, collect, NULL) == 0);
}

static long sum_of(const char *name, char *const *statistics)
{
    long sum = 0;
    for (int n = 0; n < CLIENTS; n++)
        sum += member(statistics[n], name);
    return sum;
}

/* Says how it is going, on one line. */
static void report(const struct sample *sample, char *const *statistics)
{
    printf("%6.0f s: %.2f MiB, %d descriptors, %d threads; accepted %ld, delivered %ld, rejected %ld, on disk %ld, in memory %ld;"
           " %ld requests, %ld faults, %ld retries; %ld children, the longest %.3f s\n",
           sample->seconds, sample->memory / 1048576, sample->descriptors, sample->threads, sum_of("accepted", statistics),
           sum_of("delivered", statistics), sum_of("rejected", statistics), sum_of("on_disk", statistics),
           sum_of("in_memory", statistics), tally->requests, tally->faults, sum_of("retries", statistics), children_ended(),
           children_longest());
    fflush(stdout);
}

/* The law that docs/statistics.md states holds at each moment. */
static void look(int is_told)
{
    char *statistics[CLIENTS];
    const struct sample *sample = samples_add(&samples, now() - start);
    for (int n = 0; n < CLIENTS; n++) {
        CHECK(mona_stats_json(clients[n], &statistics[n]) == MONA_OK);
        check_conserved(statistics[n]);
    }
    if (is_told)
        report(sample, statistics);
    for (int n = 0; n < CLIENTS; n++)
        mona_string_free(statistics[n]);
}

static double longer(double most, double since)
{
    double took = now() - since;
    return took > most ? took : most;
}

static void time_a_flush(const char *folder)
{
    char path[256];
    snprintf(path, sizeof path, "%s/flushed", folder);
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK(file >= 0 && write(file, path, 1) == 1);
    double begin = now();
    CHECK(fsync(file) == 0);
    longest_flush = longer(longest_flush, begin);
    close(file);
}

static void watch(const char *folder)
{
    int every = seconds / 1000 > 0 ? seconds / 1000 : 1, told_every = seconds < 600 ? 5 : 60;
    for (int at = every; at <= seconds; at += every) {
        for (double begin; (begin = now()) - start < at; longest_turn = longer(longest_turn, begin))
            pause_ms(20);
        time_a_flush(folder);
        look(at % told_every < every);
    }
}

/* Messages of children that left them in a spool: of those it is known that they arrive. */
static long awaited_of_children(void)
{
    long missing = 0;
    for (size_t n = 0; n < tally->children; n++)
        if (child_is_durable(tally->child[n].way))
            missing += tally->child[n].accepted - __builtin_popcountll(tally->child[n].arrived);
    return missing;
}

static void finish(pthread_t *threads)
{
    atomic_store(&stop_producing, 1);
    for (int n = 0; n < PRODUCERS; n++)
        pthread_join(threads[n], NULL);
    atomic_store(&tally->healthy, 1);
    for (int n = 0; n < CLIENTS; n++)
        CHECK_CALL(MONA_OK, mona_flush(clients[n], FLUSH_MS, fresh()));
    /* Clients that live take over what children left. */
    for (double begin = now(); awaited_of_children() > 0 && now() - begin < ORPHANS_SECONDS;)
        pause_ms(100);
    for (int n = 0; n < CLIENTS; n++)
        CHECK_CALL(MONA_OK, mona_flush(clients[n], FLUSH_MS, fresh()));
    atomic_store(&stop_collecting, 1);
    pthread_join(threads[PRODUCERS], NULL);
}

/* What the clients counted, against what was accepted, told and taken; how many things are wrong. */
static int settle(void)
{
    char *statistics[CLIENTS];
    long accepted = 0, reported = 0, lost = 0, strange = 0, arrived = 0;
    for (int n = 0; n < CLIENTS; n++) {
        CHECK_CALL(MONA_OK, mona_client_close(clients[n], 10000, fresh()));
        CHECK_DOCUMENT("\"undelivered\":0");
        CHECK_DOCUMENT("\"on_disk\":0");
        CHECK(mona_stats_json(clients[n], &statistics[n]) == MONA_OK);
        check_conserved(statistics[n]);
        printf("%-8s %s\n", names[n], statistics[n]);
    }
    for (int p = 0; p < PRODUCERS; p++) {
        struct producer *producer = &tally->producer[p];
        accepted += producer->accepted;
        for (long n = 0; n < (long)producer->arrived.room; n++) {
            int came = bits_get(&producer->arrived, n), told = bits_get(&producer->reported, n);
            arrived += came;
            reported += told;
            if (n < producer->accepted ? came + told != 1 || told != message_is_refused(p, n) : came + told != 0)
                n < producer->accepted && came + told == 0 ? lost++ : strange++;
        }
    }
    long given_up = sum_of("expired", statistics) + sum_of("overflow", statistics) + sum_of("close", statistics);
    long counted = sum_of("accepted", statistics) - sum_of("recovered", statistics);
    long damaged = sum_of("damaged", statistics), unseen = sum_of("events_dropped", statistics);
    long rejected = sum_of("rejected", statistics), delivered = sum_of("delivered", statistics), recovered = sum_of("recovered", statistics);
    printf("accepted %ld = arrived %ld + reported as rejected %ld + lost %ld (given up and counted: %ld); wrongly arrived or reported: %ld\n",
           accepted, arrived, reported, lost, given_up, strange);
    printf("counted: accepted %ld, of these recovered %ld, delivered %ld, rejected %ld, damaged %ld; refused calls %ld\n",
           counted + recovered, recovered, delivered, rejected, damaged, atomic_load(&refused_calls));
    for (int n = 0; n < CLIENTS; n++)
        mona_string_free(statistics[n]);
    return (accepted != counted) + (lost != given_up) + (strange != 0) + (damaged != 0) + (unseen != 0) + (reported != rejected)
        + (given_up != expired_told + dropped_told) + (delivered != accepted - reported - lost + recovered);
}

static int judge_server(void)
{
    printf("server: %ld requests, %ld faults, %ld outages, %ld logins, %ld refreshes; messages taken %ld, refused %ld, again %ld after an"
           " unanswered request, %ld of ended children, %ld wrongly, %ld corrupt\n",
           tally->requests, tally->faults, tally->outages, tally->logins, tally->refreshes, tally->taken, tally->refused,
           tally->repeated, tally->repeated_of_children, tally->repeated_wrongly, tally->corrupt);
    return (tally->repeated_wrongly != 0) + (tally->corrupt != 0);
}

int main(int argc, char **argv)
{
    const char *folder = argv[1];
    pthread_t threads[PRODUCERS + 1];
    seconds = setting("SOAK_SECONDS", 7200);
    rate = setting("SOAK_RATE", 2000);
    CHECK(argc == 2 && seconds > 0 && rate > 0);
    size_t room = (size_t)(rate / PRODUCERS + 1) * (size_t)(seconds + 60);
    CHECK((tally = tally_new(room, (size_t)seconds + 60)) != NULL);
    /* So that what the program itself writes there is no growth. */
    for (int n = 0; n < PRODUCERS; n++)
        memset((void *)tally->producer[n].reported.bytes, 0, room / 8 + 1);
    memset(tally->child, 0, tally->children * sizeof *tally->child);
    memset(&samples, 0, sizeof samples);
    pid_t server = fork();
    CHECK(server >= 0);
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(tally, (unsigned)setting("SOAK_SEED", 1));
    }
    int descriptors = process_entries("fd");
    make_clients(folder);
    start = now();
    start_threads(threads);
    children_start(tally, clients, seconds);
    watch(folder);
    children_stop();
    finish(threads);
    int wrong = settle() + judge_server() + children_judge() + !samples_are_flat(&samples);
    printf("this machine: 20 ms of sleep took %.3f s at the longest, a flush %.3f s\n", longest_turn, longest_flush);
    for (int n = 0; n < CLIENTS; n++)
        mona_client_free(clients[n]);
    fresh();
    process_wait_for_threads(1);
    wrong += process_entries("fd") != descriptors;
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    printf("%s\n", wrong == 0 ? "all as promised" : "NOT as promised");
    return wrong != 0;
}

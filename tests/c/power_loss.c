/* The power may fail after any change that the spool makes to the disk, and what was not flushed by then may be there, or not, or in
 * part: the next start always works, delivers everything that `spool_sync` promised to keep, nothing twice and nothing else,
 * and leaves nothing behind. MONA_TEST_POWER is how many changes to go on by. */
#define _GNU_SOURCE
#include "check.h"
#include "disk_record.h"
#include "receiver.h"
#include <dirent.h>
#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BEFORE = 24, AFTER = 8, MOMENTS = 8192, PATIENCE_SECONDS = 20 };

static const struct {
    enum fate names, data;
    int times;
} losses[] = {
    {KEPT, KEPT, 1},       {LOST, LOST, 1},        {KEPT, LOST, 1}, {KEPT, ZEROED, 1},
    {KEPT, FIRST_HALF, 1}, {KEPT, SECOND_HALF, 1}, {LOST, KEPT, 1}, {ANY, ANY, 4},
};

static int port;
static int accepted;
/* What was accepted and delivered at each change. */
static struct {
    int accepted, delivered;
} moments[MOMENTS];
static int delivered[MOMENTS];

static void note_moment(int change)
{
    CHECK(change < MOMENTS);
    moments[change].accepted = accepted;
    moments[change].delivered = receiver_count();
}

static mona_client *client_of(const char *folder, const char *sync, const char *keys)
{
    char config[1024];
    /* Segments of 32 KiB. */
    snprintf(config, sizeof config,
             "{\"auth_mode\": \"NO_AUTH\", \"user_id\": \"u\", \"should_use_ssl\": false, \"override_rest_api_host\": \"127.0.0.1:%d\","
             " \"queue\": {\"spool_dir\": \"%s/with/spool\", \"spool_keep_free_bytes\": 0, \"spool_max_bytes\": 131072,"
             " \"spool_sync\": \"%s\", \"spool_sync_interval_ms\": 1, \"back_off_first_ms\": 1, \"back_off_longest_ms\": 2, %s}}",
             port, folder, sync, keys);
    return new_client(config);
}

/* One call with that many messages. */
static void enqueue(mona_client *client, int messages)
{
    static char text[1 << 16];
    int length = sprintf(text, "[");
    for (int n = 0; n < messages; n++) {
        length += receiver_message(text + length, accepted + n);
        text[length++] = n + 1 < messages ? ',' : ']';
    }
    CHECK_CALL(MONA_OK, mona_enqueue_json(client, text, length, NULL, fresh()));
    accepted += messages;
}

/* A run whose messages nobody takes, and one that delivers them and some of its own. */
static void live(const char *folder, const char *sync)
{
    accepted = 0;
    receiver_reset();
    receiver_refuse(1);
    mona_client *client = client_of(folder, sync, "\"linger_ms\": 3600000");
    for (int calls = 0; accepted < BEFORE; calls++)
        enqueue(client, calls % 2 ? 3 : 1);
    mona_client_close(client, 0, NULL);
    mona_client_free(client);
    receiver_refuse(0);
    client = client_of(folder, sync, "\"linger_ms\": 0, \"batch_messages\": 3");
    while (accepted < BEFORE + AFTER)
        enqueue(client, 2);
    while (receiver_count() < BEFORE + AFTER)
        sched_yield();
    CHECK_CALL(MONA_OK, mona_flush(client, -1, fresh()));
    mona_client_free(client);
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *at)
{
    (void)stat, (void)type;
    return at->level > 0 ? remove(path) : 0;
}

/* Removes all that is in a folder. */
static void empty(const char *folder)
{
    CHECK(nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

static int strays;

static int count_one(const char *path, const struct stat *stat, int type, struct FTW *at)
{
    (void)stat, (void)path;
    /* Below with/spool/<fingerprint>. */
    strays += type == FTW_D ? at->level > 3 : at->level > 0;
    return 0;
}

/* How many files, and folders of clients, there are; many when one vanished meanwhile. */
static int count_strays(const char *folder)
{
    strays = 0;
    return nftw(folder, count_one, 16, FTW_PHYS) == 0 ? strays : INT_MAX;
}

/* Has a client deliver what is in the folder, until there is nothing but what it keeps for itself. */
static void recover(const char *folder, const char *sync)
{
    /* A client that has enqueued nothing has a folder with a lock in it. */
    enum { OWN = 2 };
    struct timespec begin, now;
    mona_client *client = client_of(folder, sync, "\"linger_ms\": 0");
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec - begin.tv_sec > PATIENCE_SECONDS) {
            char command[300];
            snprintf(command, sizeof command, "find %s -ls >&2", folder);
            CHECK(system(command) == 0);
            CHECK_CALL(MONA_OK, mona_stats_json(client, fresh()));
            check_that(0, __FILE__, __LINE__, "nothing is left behind", document);
        }
        sched_yield();
    } while (count_strays(folder) > OWN);
    CHECK_CALL(MONA_OK, mona_flush(client, -1, fresh()));
    mona_client_free(client);
    CHECK(count_strays(folder) == 0);
}

/* Which messages have to arrive after a loss of power at this change. */
static void expect(int change, const char *sync, char *must)
{
    memset(must, 0, RECEIVER_MESSAGES);
    if (change == 0 || strcmp(sync, "os") == 0)
        return;
    if (strcmp(sync, "always") == 0)
        memset(must, 1, (size_t)moments[change - 1].accepted);
    for (int n = 0; n < change; n++) {
        int length;
        const char *bytes = record_flushed(n, change, &length);
        static const char start[] = "{\"number\":";
        for (const char *at = bytes; at != NULL && (at = memmem(at, (size_t)(length - (at - bytes)), start, sizeof start - 1)) != NULL; at++)
            must[atoi(at + sizeof start - 1)] = 1;
    }
    for (int n = 0; n < moments[change - 1].delivered; n++)
        must[delivered[n]] = 0;
}

static int lose_power(const char *folder, const char *sync, int change, int loss, unsigned chance)
{
    static uint64_t last[sizeof losses / sizeof *losses];
    static char last_must[sizeof losses / sizeof *losses][RECEIVER_MESSAGES];
    char must[RECEIVER_MESSAGES];
    uint64_t now = record_rebuild(folder, change, losses[loss].names, losses[loss].data, chance);
    expect(change, sync, must);
    int is_new = now != last[loss] || memcmp(must, last_must[loss], sizeof must) != 0;
    last[loss] = now;
    memcpy(last_must[loss], must, sizeof must);
    if (is_new) {
        receiver_reset();
        recover(folder, sync);
        for (int n = 0; n < RECEIVER_MESSAGES; n++) {
            if (receiver_times(n) > 1 || (must[n] && receiver_times(n) == 0)) {
                fprintf(stderr, "%s, change %d, loss %d (%u): message %d arrived %d times\n", sync, change, loss, chance, n,
                        receiver_times(n));
                exit(1);
            }
        }
    }
    empty(folder);
    return is_new;
}

static void lose_power_everywhere(const char *folder, const char *sync, int step)
{
    int count = record_count(), states = 0;
    for (int n = 0; n < receiver_count(); n++)
        delivered[n] = receiver_nth(n);
    for (int change = 0; change <= count; change += step)
        for (int loss = 0; loss < (int)(sizeof losses / sizeof *losses); loss++)
            for (int time = 0; time < losses[loss].times; time++)
                states += lose_power(folder, sync, change, loss, (unsigned)(change * 8 + time));
    printf("%s: %d changes, %d states of the disk\n", sync, count, states);
    fflush(stdout);
}

/* Nothing that the library did to the disk escaped the record. */
static void the_record_is_whole(const char *real, const char *rebuilt)
{
    char command[600];
    record_rebuild(rebuilt, record_count(), KEPT, KEPT, 0);
    snprintf(command, sizeof command, "diff -r %s %s", real, rebuilt);
    CHECK(system(command) == 0);
    empty(rebuilt);
}

int main(void)
{
    static const char *const modes[] = {"always", "interval", "os"};
    const char *wanted = getenv("MONA_TEST_POWER");
    char real[] = "/tmp/mona-power-XXXXXX", rebuilt[] = "/tmp/mona-power-XXXXXX";
    CHECK(mkdtemp(real) != NULL && mkdtemp(rebuilt) != NULL);
    port = receiver_start();
    for (int mode = 0; mode < 3; mode++) {
        record_start(real, note_moment);
        live(real, modes[mode]);
        record_stop();
        the_record_is_whole(real, rebuilt);
        lose_power_everywhere(rebuilt, modes[mode], wanted != NULL ? atoi(wanted) : 2);
        empty(real);
    }
    rmdir(real);
    rmdir(rebuilt);
    fresh();
    return 0;
}

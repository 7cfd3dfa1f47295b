/* What accepting a message costs from C: mona_enqueue_json beside librdkafka's rd_kafka_produce.
 *
 *     enqueue CASE MESSAGES THREADS FOLDER
 *
 * CASE is memory, os or interval (accept, without a spool and with one in FOLDER), pass (the JSON pass alone: every message
 * is sampled out), kafka, or deliver (accept and flush, at the server that MONA_SDK_OVERRIDE_REST_API_HOST names).
 * Prints one line of JSON. But for deliver the server is one that is not there: nothing is delivered while the clock runs.
 * CPU time is that of the calling threads. */
#include <librdkafka/rdkafka.h>
#include <mona.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MESSAGE_BYTES = 512 };

static char message[MESSAGE_BYTES + 1];
static mona_client *client;
static rd_kafka_t *producer;
static rd_kafka_topic_t *topic;
static long messages_per_thread;
/* CPU time of all threads that call. */
static long cpu;

static long nanoseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000L + now.tv_nsec;
}

/* A message like those of the loan data, of 512 bytes. */
static void write_message(void)
{
    int length = snprintf(message, sizeof message,
                          "{\"contextClass\":\"LOAN\",\"contextId\":\"2a8692bc32e3875a766adbc57ecf0d10\","
                          "\"exportTimestamp\":1611911904000,\"message\":{\"city\":\"Minneapolis\"");
    for (int field = 0; length < MESSAGE_BYTES - 60; field++) {
        length += snprintf(message + length, sizeof message - (size_t)length,
                           ",\"feature_%d\":%d.%d", field, field * 37, 1234567 + field);
    }
    length += snprintf(message + length, sizeof message - (size_t)length, ",\"note\":\"");
    memset(message + length, 'x', (size_t)(MESSAGE_BYTES - 3 - length));
    memcpy(message + MESSAGE_BYTES - 3, "\"}}", 4);
}

static int produce(void)
{
    return rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, message, MESSAGE_BYTES, NULL, 0, NULL);
}

static int enqueue(void)
{
    return mona_enqueue_json(client, message, MESSAGE_BYTES, NULL, NULL);
}

static void *run(void *latencies)
{
    long *own = latencies;
    int (*call)(void) = producer != NULL ? produce : enqueue;
    for (long n = 0; n < messages_per_thread; n++) {
        long start = nanoseconds(CLOCK_MONOTONIC);
        if (call() != 0) {
            fprintf(stderr, "message %ld was not accepted\n", n);
            exit(1);
        }
        own[n] = nanoseconds(CLOCK_MONOTONIC) - start;
    }
    __atomic_fetch_add(&cpu, nanoseconds(CLOCK_THREAD_CPUTIME_ID), __ATOMIC_RELAXED);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

static void open_mona(const char *name, const char *folder)
{
    char config[1024], spool[512] = "", *document = NULL;
    if (strcmp(name, "os") == 0 || strcmp(name, "interval") == 0) {
        snprintf(spool, sizeof spool,
                 ", \"spool_dir\": \"%s\", \"spool_sync\": \"%s\", \"spool_keep_free_bytes\": 0,"
                 " \"spool_max_bytes\": 4000000000",
                 folder, name);
    }
    int deliver = strcmp(name, "deliver") == 0;
    snprintf(config, sizeof config,
             "{\"auth_mode\": \"NO_AUTH\", \"user_id\": \"u\", \"should_use_ssl\": false, \"default_sampling_rate\": %s, %s"
             " \"queue\": {\"max_messages\": 4000000, \"max_bytes\": 4000000000,"
             " \"back_off_first_ms\": 600000, \"back_off_longest_ms\": 600000, \"free_timeout_ms\": 0%s}}",
             strcmp(name, "pass") == 0 ? "-1" : "1",
             deliver ? "" : "\"override_rest_api_host\": \"127.0.0.1:9\",", spool);
    if (mona_client_new(config, &client, &document) != MONA_OK) {
        fprintf(stderr, "%s\n", document);
        exit(1);
    }
    mona_string_free(document);
}

static void open_kafka(void)
{
    char error[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", "127.0.0.1:9", error, sizeof error);
    rd_kafka_conf_set(conf, "queue.buffering.max.messages", "4000000", error, sizeof error);
    rd_kafka_conf_set(conf, "queue.buffering.max.kbytes", "4000000", error, sizeof error);
    rd_kafka_conf_set(conf, "log_level", "0", error, sizeof error);
    producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    topic = producer == NULL ? NULL : rd_kafka_topic_new(producer, "t", NULL);
    if (topic == NULL) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: enqueue memory|os|interval|pass|kafka|deliver MESSAGES THREADS FOLDER\n");
        return 2;
    }
    const char *name = argv[1];
    long total = atol(argv[2]), threads = atol(argv[3]);
    messages_per_thread = total / threads;
    write_message();
    if (strcmp(name, "kafka") == 0)
        open_kafka();
    else
        open_mona(name, argv[4]);
    long *latencies = calloc((size_t)total, sizeof *latencies);
    pthread_t *ids = calloc((size_t)threads, sizeof *ids);
    if (latencies == NULL || ids == NULL)
        return 1;
    long start = nanoseconds(CLOCK_MONOTONIC);
    for (long n = 0; n < threads; n++)
        pthread_create(&ids[n], NULL, run, latencies + n * messages_per_thread);
    for (long n = 0; n < threads; n++)
        pthread_join(ids[n], NULL);
    if (strcmp(name, "deliver") == 0 && mona_flush(client, -1, NULL) != MONA_OK)
        return 1;
    double seconds = (double)(nanoseconds(CLOCK_MONOTONIC) - start) / 1e9;
    qsort(latencies, (size_t)total, sizeof *latencies, compare);
    printf("{\"messages_per_second\": %.0f, \"p50_ns\": %ld, \"p99_ns\": %ld, \"cpu_ns\": %.0f}\n",
           (double)total / seconds, latencies[total / 2], latencies[total / 100 * 99], (double)cpu / (double)total);
    fflush(stdout);
    _Exit(0); /* nobody waits for a server that is not there */
}

/* What accepting a message costs from C: mona_enqueue_json beside librdkafka's rd_kafka_produce.
 *
 *     enqueue CASE MESSAGES THREADS
 *
 * CASE is mona (accept), pass (the JSON pass alone: every message is sampled out) or kafka. Prints one line of JSON.
 * The server is one that is not there: nothing is delivered while the clock runs. */
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

static long nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
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
        long start = nanoseconds();
        if (call() != 0) {
            fprintf(stderr, "message %ld was not accepted\n", n);
            exit(1);
        }
        own[n] = nanoseconds() - start;
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

static void open_mona(const char *rate)
{
    char config[512], *document = NULL;
    snprintf(config, sizeof config,
             "{\"auth_mode\": \"NO_AUTH\", \"user_id\": \"u\", \"should_use_ssl\": false, \"default_sampling_rate\": %s,"
             " \"override_rest_api_host\": \"127.0.0.1:9\", \"queue\": {\"max_messages\": 4000000, \"max_bytes\": 4000000000,"
             " \"back_off_first_ms\": 600000, \"back_off_longest_ms\": 600000, \"free_timeout_ms\": 0}}",
             rate);
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
    if (argc != 4) {
        fprintf(stderr, "usage: enqueue mona|pass|kafka MESSAGES THREADS\n");
        return 2;
    }
    long total = atol(argv[2]), threads = atol(argv[3]);
    messages_per_thread = total / threads;
    write_message();
    if (strcmp(argv[1], "kafka") == 0) {
        open_kafka();
    } else {
        open_mona(strcmp(argv[1], "pass") == 0 ? "-1" : "1");
    }
    long *latencies = calloc((size_t)total, sizeof *latencies);
    pthread_t *ids = calloc((size_t)threads, sizeof *ids);
    if (latencies == NULL || ids == NULL) {
        return 1;
    }
    long start = nanoseconds();
    for (long n = 0; n < threads; n++) {
        pthread_create(&ids[n], NULL, run, latencies + n * messages_per_thread);
    }
    for (long n = 0; n < threads; n++) {
        pthread_join(ids[n], NULL);
    }
    double seconds = (double)(nanoseconds() - start) / 1e9;
    qsort(latencies, (size_t)total, sizeof *latencies, compare);
    printf("{\"messages_per_second\": %.0f, \"p50_ns\": %ld, \"p99_ns\": %ld}\n", (double)total / seconds,
           latencies[total / 2], latencies[total / 100 * 99]);
    fflush(stdout);
    _Exit(0); /* nobody waits for a broker that is not there */
}

/* However a program ends and whatever the server does: it ends soon, what a spool holds arrives by the next run, and without
 * one what close reports as undelivered is exactly what does not arrive. */
#include "check.h"
#include "sandbox.h"
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}"

enum { MESSAGES = 30, CLOSE_MS = 100, PATIENCE_SECONDS = 30 };

static const char *ways[] = {"return", "exit", "_exit", "SIGTERM", "abort", "close", "atexit", "free"};
static const char *servers[] = {
    NULL,
    "{\"path\": \"/monaExport\", \"delay_ms\": 60000}",
    "{\"path\": \"/monaExport\", \"drop\": \"before_response\"}",
};

static mona_client *client;

static mona_client *client_with_spool(const char *folder)
{
    char config[512], spool[256] = "";
    if (*folder != '\0')
        snprintf(spool, sizeof spool, ", \"spool_dir\": \"%s\", \"spool_keep_free_bytes\": 0", folder);
    snprintf(config, sizeof config,
             "{\"auth_mode\": \"NO_AUTH\", \"user_id\": \"u\","
             " \"queue\": {\"linger_ms\": 0, \"free_timeout_ms\": %d%s}}",
             CLOSE_MS, spool);
    return new_client(config);
}

static void close_and_tell(void)
{
    CHECK_CALL(MONA_OK, mona_client_close(client, CLOSE_MS, fresh()));
    printf("%s\n", document);
    fflush(stdout);
}

static int child(const char *way, const char *folder)
{
    client = client_with_spool(folder);
    for (int n = 0; n < MESSAGES; n++)
        CHECK_CALL(MONA_OK, mona_enqueue_json(client, MESSAGE, -1, NULL, fresh()));
    if (strcmp(way, "exit") == 0)
        exit(0);
    if (strcmp(way, "_exit") == 0)
        _exit(0);
    if (strcmp(way, "SIGTERM") == 0)
        raise(SIGTERM);
    if (strcmp(way, "abort") == 0)
        abort();
    if (strcmp(way, "close") == 0)
        close_and_tell();
    if (strcmp(way, "atexit") == 0)
        atexit(close_and_tell);
    if (strcmp(way, "free") == 0)
        mona_client_free(client);
    return 0;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Runs a child to its end; how many messages it said were not delivered, or -1. */
static long run(char *program, const char *way, const char *folder)
{
    int out[2];
    char said[4096];
    CHECK(pipe(out) == 0);
    double start = seconds();
    pid_t pid = fork();
    if (pid == 0) {
        dup2(out[1], 1);
        close(out[0]);
        close(out[1]);
        execl(program, program, way, folder, (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    size_t got = 0;
    for (ssize_t more; (more = read(out[0], said + got, sizeof said - 1 - got)) > 0;)
        got += (size_t)more;
    said[got] = '\0';
    close(out[0]);
    int ended;
    CHECK(waitpid(pid, &ended, 0) == pid);
    CHECK(WIFSIGNALED(ended) || WEXITSTATUS(ended) == 0);
    double took = seconds() - start;
    printf("%s: %.3f s\n", way, took);
    /* Far less than the server takes to answer. */
    CHECK(took < PATIENCE_SECONDS);
    const char *undelivered = strstr(said, "\"undelivered\":");
    return undelivered == NULL ? -1 : strtol(undelivered + strlen("\"undelivered\":"), NULL, 10);
}

static void nothing_durable_is_lost(char *program, const char *way)
{
    char folder[] = "/tmp/mona-exits-XXXXXX", command[64];
    CHECK(mkdtemp(folder) != NULL);
    long before = sandbox_count("messages");
    long undelivered = run(program, way, folder);
    CHECK(undelivered == 0 || undelivered == -1);
    sandbox_forget_rules();
    client = client_with_spool(folder);
    sandbox_wait("messages", before + MESSAGES);
    mona_client_free(client);
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0);
}

static void what_memory_loses_is_reported(char *program, const char *way)
{
    long before = sandbox_count("messages");
    long undelivered = run(program, way, "");
    if (undelivered >= 0)
        CHECK(sandbox_count("messages") - before + undelivered == MESSAGES);
    sandbox_forget_rules();
}

int main(int argc, char **argv)
{
    if (argc > 2)
        return child(argv[1], argv[2]);
    for (size_t server = 0; server < sizeof servers / sizeof *servers; server++) {
        printf("server: %s\n", servers[server] == NULL ? "up" : servers[server]);
        for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
            if (servers[server] != NULL)
                sandbox_rules(servers[server]);
            nothing_durable_is_lost(argv[0], ways[way]);
            if (servers[server] != NULL)
                sandbox_rules(servers[server]);
            what_memory_loses_is_reported(argv[0], ways[way]);
        }
    }
    fresh();
    return 0;
}

/* What goes wrong and how a program sees it: the status, and in the document `error_kind` (a stable word),
 * `retriable` and `error_message`. The account is taken from the environment (docs/configuration.md). */
#include <mona.h>
#include <stdio.h>

/* Shows a call's outcome; frees its document. */
static void show(const char *what, mona_status status, char *document)
{
    printf("%s\n  %s\n  %s\n", what, mona_status_name(status), document);
    mona_string_free(document);
}

/* A key that does not exist: there is no client, and the message names the key and the nearest one. */
static void unknown_key(void)
{
    mona_client *client = NULL;
    char *document = NULL;
    mona_status status = mona_client_new("{\"api_keey\": \"k\"}", &client, &document);
    show("an unknown configuration key", status, document);
}

/* The caller's mistake: nothing is sent, and the message says where the JSON breaks. */
static void bad_json(mona_client *client)
{
    char *document = NULL;
    mona_status status = mona_export_json(client, "{\"message\": {\"a\": }}", -1, NULL, &document);
    show("bad JSON", status, document);
}

/* Some messages fail, the others are exported: `failure_reasons` has the reason of each by its index. */
static void partial_failure(mona_client *client)
{
    char *document = NULL;
    const char *messages = "[{\"contextClass\": \"LOAN\", \"message\": {\"amount\": 1200.50}},"
                           " {\"contextClass\": \"no spaces\", \"message\": {\"amount\": 7}},"
                           " {\"message\": {\"amount\": 8}}]";
    mona_status status = mona_export_json(client, messages, -1, NULL, &document);
    show("two messages of three fail", status, document);
}

/* By default a failure is MONA_FAILED, a positive number; with `raise_export_exceptions` it is an error of its own,
 * a negative one. Nobody listens on this port. */
static void unreachable_server(const char *what, const char *config)
{
    mona_client *client = NULL;
    char *document = NULL;
    mona_status status = mona_client_new(config, &client, &document);
    if (client == NULL) {
        show("no client", status, document);
        return;
    }
    mona_string_free(document);
    status = mona_export_json(client, "{\"contextClass\": \"LOAN\", \"message\": {\"amount\": 1}}", -1,
                              "{\"timeout_ms\": 2000}", &document);
    show(what, status, document);
    mona_client_free(client);
}

/* A closed client says so; nothing crashes. */
static void closed(mona_client *client)
{
    char *document = NULL;
    mona_client_close(client, 0, NULL);
    mona_status status = mona_service_call(client, "get_config", "{}", -1, NULL, &document);
    show("a call after close", status, document);
}

int main(void)
{
    mona_client *client = NULL;
    char *document = NULL;
    mona_status status = mona_client_new(NULL, &client, &document);
    show("a client", status, document);
    if (client == NULL)
        return 1;

    unknown_key();
    bad_json(client);
    partial_failure(client);
    unreachable_server("an unreachable server", "{\"override_rest_api_host\": \"127.0.0.1:1\"}");
    unreachable_server("the same, raised", "{\"override_rest_api_host\": \"127.0.0.1:1\","
                                           " \"raise_export_exceptions\": true}");
    closed(client);

    mona_client_free(client);
    return 0;
}

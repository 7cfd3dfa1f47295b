/* Failures of each kind have the status that the client's raise settings want; the document is the same. */
#include "check.h"
#include "sandbox.h"

#define MESSAGE "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}"
#define LOGIN "/identity/resources/auth/v1/api-token"

/* The next request to this path is refused. */
static void refuse(const char *path)
{
    char rule[160];
    snprintf(rule, sizeof rule,
             "{\"path\": \"%s\", \"times\": 1, \"status\": 403, \"json\": {\"message\": \"no\"}}", path);
    sandbox_rules(rule);
}

static void export_fails(const char *config, mona_status wanted)
{
    mona_client *client = new_client(config);
    refuse("/export");
    CHECK_CALL(wanted, mona_export_json(client, MESSAGE, -1, NULL, fresh()));
    CHECK_DOCUMENT("\"success\":false,\"total\":1,\"sent\":0,\"failed\":1");
    CHECK_DOCUMENT("\"error_kind\":\"refused\",\"retriable\":false");
    mona_client_free(client);
}

static void service_fails(const char *config, mona_status wanted)
{
    mona_client *client = new_client(config);
    refuse("/configs");
    CHECK_CALL(wanted, mona_service_call(client, "get_config", "{}", -1, NULL, fresh()));
    CHECK_DOCUMENT("\"success\":false,\"data\":null");
    CHECK_DOCUMENT("\"error_kind\":\"refused\",\"retriable\":false");
    mona_client_free(client);
}

/* Each client has a key of its own: those with the same one share a login. */
static void login_fails(void)
{
    refuse(LOGIN);
    mona_client *client = new_client("{\"api_key\": \"quiet\"}");
    CHECK_DOCUMENT("\"success\":false");
    CHECK_DOCUMENT("\"error_kind\":\"authentication\"");
    CHECK(mona_client_is_active(client) == 0);
    CHECK_CALL(MONA_FAILED, mona_export_json(client, MESSAGE, -1, NULL, fresh()));
    CHECK_DOCUMENT("\"error_kind\":\"authentication\"");
    mona_client_free(client);
}

static void login_fails_and_is_raised(void)
{
    refuse(LOGIN);
    mona_client *client = NULL;
    CHECK_CALL(MONA_ERROR_AUTHENTICATION,
               mona_client_new("{\"api_key\": \"loud\", \"raise_authentication_exceptions\": true}",
                               &client, fresh()));
    CHECK_DOCUMENT("\"error_kind\":\"authentication\"");
    CHECK(client == NULL);
}

static void a_call_has_no_more_time_than_it_is_given(void)
{
    mona_client *client = new_client(NULL);
    sandbox_rules("{\"path\": \"/export\", \"times\": 1, \"delay_ms\": 60000}");
    CHECK_CALL(MONA_FAILED,
               mona_export_json(client, MESSAGE, -1, "{\"timeout_ms\": 50}", fresh()));
    CHECK_DOCUMENT("\"error_kind\":\"timeout\",\"retriable\":true");
    mona_client_free(client);
}

int main(void)
{
    export_fails(NULL, MONA_FAILED);
    export_fails("{\"raise_export_exceptions\": true}", MONA_ERROR_EXPORT);
    service_fails(NULL, MONA_FAILED);
    service_fails("{\"raise_service_exceptions\": true}", MONA_ERROR_SERVICE);
    login_fails();
    login_fails_and_is_raised();
    a_call_has_no_more_time_than_it_is_given();
    fresh();
    return 0;
}

/* NULL in every pointer position of every function: a defined status and document, never a crash. */
#include "check.h"

#define MESSAGE "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}"

static void without_a_client(void)
{
    CHECK(mona_client_is_active(NULL) == 0);
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT, mona_client_close(NULL, 0, fresh()));
    CHECK_DOCUMENT("\"error_message\":\"client: must not be NULL\"");
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT, mona_export_json(NULL, MESSAGE, -1, NULL, fresh()));
    CHECK_DOCUMENT("\"error_message\":\"client: must not be NULL\"");
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT,
               mona_service_call(NULL, "get_config", "{}", -1, NULL, fresh()));
    CHECK_DOCUMENT("\"error_message\":\"client: must not be NULL\"");
}

static void where_a_value_is_needed(mona_client *client)
{
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT, mona_client_new("{}", NULL, fresh()));
    CHECK_DOCUMENT("out_client: must not be NULL");
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT, mona_export_json(client, NULL, -1, NULL, fresh()));
    CHECK_DOCUMENT("messages_json: must not be NULL");
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT, mona_export_json(client, NULL, 0, NULL, fresh()));
    CHECK_DOCUMENT("messages_json: must not be NULL");
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT, mona_export_json(client, NULL, 9, NULL, fresh()));
    CHECK_DOCUMENT("messages_json: must not be NULL");
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT,
               mona_service_call(client, NULL, "{}", -1, NULL, fresh()));
    CHECK_DOCUMENT("service: must not be NULL");
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT,
               mona_service_call(client, "get_config", NULL, -1, NULL, fresh()));
    CHECK_DOCUMENT("args_json: must not be NULL");
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT,
               mona_service_call(client, "get_config", NULL, 2, NULL, fresh()));
    CHECK_DOCUMENT("args_json: must not be NULL");
}

/* The document is the caller's to leave out, of successes and failures. */
static void where_the_document_goes(mona_client *client)
{
    mona_client *other = NULL;
    CHECK(mona_client_new(NULL, &other, NULL) == MONA_OK);
    CHECK(mona_client_close(other, 0, NULL) == MONA_OK);
    CHECK(mona_export_json(other, MESSAGE, -1, NULL, NULL) == MONA_ERROR_CLOSED);
    mona_client_free(other);
    CHECK(mona_client_new("{", &other, NULL) == MONA_ERROR_INVALID_ARGUMENT);
    CHECK(other == NULL);
    CHECK(mona_client_new(NULL, NULL, NULL) == MONA_ERROR_INVALID_ARGUMENT);
    CHECK(mona_client_close(NULL, 0, NULL) == MONA_ERROR_INVALID_ARGUMENT);
    CHECK(mona_export_json(client, MESSAGE, -1, NULL, NULL) == MONA_OK);
    CHECK(mona_export_json(NULL, NULL, 0, NULL, NULL) == MONA_ERROR_INVALID_ARGUMENT);
    CHECK(mona_service_call(client, "get_config", "{}", -1, NULL, NULL) == MONA_OK);
    CHECK(mona_service_call(NULL, NULL, NULL, 0, NULL, NULL) == MONA_ERROR_INVALID_ARGUMENT);
}

int main(void)
{
    mona_client *client = new_client(NULL);
    without_a_client();
    where_a_value_is_needed(client);
    where_the_document_goes(client);
    mona_client_free(client);
    mona_client_free(NULL);
    mona_string_free(NULL);
    fresh();
    return 0;
}

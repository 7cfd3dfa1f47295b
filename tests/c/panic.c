/* A panic inside the library ends the call, not the host. Linked against a library that panics on request. */
#include "check.h"

int main(void)
{
    mona_client *client = new_client(NULL);
    for (int i = 0; i < 3; i++) {
        CHECK_CALL(MONA_ERROR_INTERNAL,
                   mona_service_call(client, "mona_test_panic", "{}", -1, NULL, fresh()));
        CHECK_DOCUMENT("\"success\":false");
        CHECK_DOCUMENT("\"error_kind\":\"internal\",\"retriable\":false");
        CHECK(mona_service_call(client, "mona_test_panic", "{}", -1, NULL, NULL) ==
              MONA_ERROR_INTERNAL);
    }
    CHECK_CALL(MONA_OK,
               mona_service_call_async(client, "mona_test_panic", "{}", -1, NULL, 1, fresh()));
    CHECK_CALL(MONA_OK, mona_poll(client, -1, NULL, fresh()));
    CHECK_DOCUMENT("{\"type\":\"service\",\"tag\":\"1\",\"status\":-8,\"success\":false,");
    CHECK_CALL(MONA_OK, mona_service_call(client, "get_config", "{}", -1, NULL, fresh()));
    CHECK_CALL(MONA_OK, mona_client_close(client, -1, fresh()));
    mona_client_free(client);
    fresh();
    return 0;
}

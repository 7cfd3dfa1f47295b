/* Sends one message to Mona. The account is taken from the environment:
 * MONA_SDK_API_KEY and MONA_SDK_SECRET (docs/configuration.md lists the rest). */
#include <mona.h>
#include <stdio.h>

int main(void)
{
    mona_client *client = NULL;
    char *document = NULL;

    mona_status status = mona_client_new(NULL, &client, &document);
    if (status != MONA_OK || !mona_client_is_active(client)) {
        fprintf(stderr, "no client: %s %s\n", mona_status_name(status), document);
        mona_string_free(document);
        mona_client_free(client);
        return 1;
    }
    mona_string_free(document);

    const char *message = "{\"contextClass\": \"LOAN_APPLICATION\", \"contextId\": \"loan-1\","
                          " \"message\": {\"approved\": true, \"risk\": 0.25}}";
    status = mona_export_json(client, message, -1, NULL, &document);
    printf("%s %s\n", mona_status_name(status), document);

    mona_string_free(document);
    mona_client_free(client);
    return status == MONA_OK ? 0 : 1;
}

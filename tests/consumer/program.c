/* What a new user's first program does, in C that every standard and C++ compile. */
#ifdef __cplusplus
#include <mona.hpp>
#else
#include <mona.h>
#endif
#include <stdio.h>
#include <string.h>

int main(void)
{
    const char *config = "{\"api_key\":\"key\",\"secret\":\"secret\",\"authenticate_on_init\":false}";
    mona_client *client = NULL;
    char *document = NULL;
    int right = 1;

    if (mona_abi_version() != MONA_ABI_VERSION || mona_version_number() != MONA_VERSION_NUMBER) {
        printf("mona.h is of %s, the library is %s\n", MONA_VERSION_STRING, mona_version_string());
        return 1;
    }
    if (mona_client_new(config, &client, &document) != MONA_OK) {
        printf("%s\n", document);
        return 1;
    }
    mona_string_free(document);
    right = mona_export_json(client, "[{]", -1, NULL, &document) == MONA_ERROR_INVALID_ARGUMENT &&
            strstr(document, "byte") != NULL;
    printf("libmona %s: %s\n", mona_version_string(), document);
    mona_string_free(document);
    mona_client_free(client);
    return right ? 0 : 1;
}

// The header works from C++: first, alone, twice, and its functions have C linkage.
#include <mona.h>
#include <mona.h>

#include <cstring>

static_assert(sizeof(mona_status) == 4, "a status is 32 bits wide");

int main()
{
    mona_client *client = nullptr;
    char *document = nullptr;
    mona_status status = mona_client_new("{\"no_such_key\": 1}", &client, &document);
    bool named = document != nullptr && std::strstr(document, "no_such_key") != nullptr;
    mona_string_free(document);
    mona_client_free(client);
    return status == MONA_ERROR_INITIALIZATION && client == nullptr && named ? 0 : 1;
}

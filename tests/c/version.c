/* The header describes the library that is loaded, and every status has its name. */
#include "check.h"

static void version_of_header_is_that_of_library(void)
{
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", MONA_VERSION_MAJOR, MONA_VERSION_MINOR,
             MONA_VERSION_PATCH);
    CHECK(strcmp(text, MONA_VERSION_STRING) == 0);
    CHECK(strcmp(mona_version_string(), MONA_VERSION_STRING) == 0);
    CHECK(mona_version_number() == MONA_VERSION_NUMBER);
    CHECK(mona_abi_version() == MONA_ABI_VERSION);
}

#define CHECK_NAME(status) CHECK(strcmp(mona_status_name(status), #status) == 0)

static void statuses_have_their_names(void)
{
    CHECK_NAME(MONA_OK);
    CHECK_NAME(MONA_FAILED);
    CHECK_NAME(MONA_TIMEOUT);
    CHECK_NAME(MONA_ERROR_INVALID_ARGUMENT);
    CHECK_NAME(MONA_ERROR_INITIALIZATION);
    CHECK_NAME(MONA_ERROR_AUTHENTICATION);
    CHECK_NAME(MONA_ERROR_EXPORT);
    CHECK_NAME(MONA_ERROR_SERVICE);
    CHECK_NAME(MONA_ERROR_QUEUE_FULL);
    CHECK_NAME(MONA_ERROR_CLOSED);
    CHECK_NAME(MONA_ERROR_INTERNAL);
}

static void other_numbers_are_unknown(void)
{
    const mona_status others[] = {1000, -1000, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        CHECK(strcmp(mona_status_name(others[i]), "MONA_STATUS_UNKNOWN") == 0);
}

int main(void)
{
    version_of_header_is_that_of_library();
    statuses_have_their_names();
    other_numbers_are_unknown();
    return 0;
}

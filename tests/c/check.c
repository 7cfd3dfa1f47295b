#include "check.h"

char *document;

char **fresh(void)
{
    mona_string_free(document);
    document = NULL;
    return &document;
}

void check_that(int holds, const char *file, int line, const char *what, const char *about)
{
    if (holds)
        return;
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    if (about != NULL)
        fprintf(stderr, "  document: %.2000s\n", about);
    exit(1);
}

void check_status(mona_status wanted, mona_status got, const char *file, int line,
                  const char *call)
{
    if (got == wanted)
        return;
    fprintf(stderr, "%s:%d: %s, not %s: %s\n", file, line, mona_status_name(got),
            mona_status_name(wanted), call);
    fprintf(stderr, "  document: %.2000s\n", document != NULL ? document : "(none)");
    exit(1);
}

mona_client *new_client(const char *config_json)
{
    mona_client *client = NULL;
    CHECK_CALL(MONA_OK, mona_client_new(config_json, &client, fresh()));
    CHECK(client != NULL);
    return client;
}

int under_valgrind(void)
{
    return getenv("MONA_TEST_VALGRIND") != NULL;
}

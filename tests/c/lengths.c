/* A payload ends where its length says, or at its NUL where the length is negative. */
#define _DEFAULT_SOURCE
#include "check.h"
#include <sys/mman.h>
#include <unistd.h>

#define MESSAGE "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}"

/* The text in memory that can be read to its last byte and no further. */
static const char *at_the_edge(const char *text)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), length = strlen(text);
    char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED && mprotect(memory + page, page, PROT_NONE) == 0);
    return memcpy(memory + page - length, text, length);
}

static void nothing_behind_the_length_is_read(mona_client *client)
{
    const int64_t length = (int64_t)strlen(MESSAGE);
    CHECK_CALL(MONA_OK, mona_export_json(client, at_the_edge(MESSAGE), length, NULL, fresh()));
    CHECK_CALL(MONA_OK,
               mona_service_call(client, "get_config", at_the_edge("{}"), 2, NULL, fresh()));
    CHECK_CALL(MONA_OK, mona_export_json(client, MESSAGE "garbage", length, NULL, fresh()));
}

static void any_negative_length_means_nul_terminated(mona_client *client)
{
    CHECK_CALL(MONA_OK, mona_export_json(client, MESSAGE, -1, NULL, fresh()));
    CHECK_CALL(MONA_OK, mona_export_json(client, MESSAGE, INT64_MIN, NULL, fresh()));
    CHECK_CALL(MONA_OK, mona_service_call(client, "get_config", "{}", -2, NULL, fresh()));
}

static void a_length_may_cut_short_or_include_a_nul(mona_client *client)
{
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT, mona_export_json(client, MESSAGE, 0, NULL, fresh()));
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT, mona_export_json(client, MESSAGE, 9, NULL, fresh()));
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT,
               mona_export_json(client, MESSAGE, (int64_t)sizeof MESSAGE, NULL, fresh()));
    CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT,
               mona_service_call(client, "get_config", "{}", 1, NULL, fresh()));
}

/* Refused by the number alone: nothing is read. */
static void a_length_of_4_gib_is_refused(mona_client *client)
{
    const int64_t lengths[] = {INT64_C(1) << 32, INT64_C(1) << 40, INT64_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT,
                   mona_export_json(client, MESSAGE, lengths[i], NULL, fresh()));
        CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT,
                   mona_enqueue_json(client, MESSAGE, lengths[i], NULL, fresh()));
        CHECK_CALL(MONA_ERROR_INVALID_ARGUMENT,
                   mona_service_call(client, "get_config", "{}", lengths[i], NULL, fresh()));
    }
}

int main(void)
{
    mona_client *client = new_client(NULL);
    nothing_behind_the_length_is_read(client);
    any_negative_length_means_nul_terminated(client);
    a_length_may_cut_short_or_include_a_nul(client);
    a_length_of_4_gib_is_refused(client);
    mona_client_free(client);
    fresh();
    return 0;
}

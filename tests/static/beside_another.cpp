// One program with libmona.a, another Rust library and C++ exceptions: each works, none disturbs the others.
#include <mona.h>

#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>

extern "C" int64_t neighbour_sum(uint32_t limit);

static void require(bool truth, const char *what)
{
    if (!truth)
        throw std::runtime_error(what);
}

// What a C++ program does with a failure: the exception passes a frame that owns the document.
static void refused_by_exception(mona_client *client)
{
    struct Document {
        char *text = nullptr;
        ~Document() { mona_string_free(text); }
    } document;
    mona_status status = mona_export_json(client, "[{]", -1, nullptr, &document.text);
    if (status != MONA_OK)
        throw std::invalid_argument(document.text);
}

static void one_round()
{
    mona_client *client = nullptr;
    require(mona_client_new(nullptr, &client, nullptr) == MONA_OK, "client");
    require(neighbour_sum(1000) == 500500, "sum");

    const char *message = "{\"contextClass\":\"LOANS\",\"message\":{\"risk\":0.25}}";
    require(mona_export_json(client, message, -1, nullptr, nullptr) == MONA_OK, "export");

    require(neighbour_sum(0) == -1, "panic");
    bool caught = false;
    try {
        refused_by_exception(client);
    } catch (const std::invalid_argument &error) {
        caught = std::strstr(error.what(), "invalid_argument") != nullptr;
    }
    require(caught, "exception");

    require(mona_service_call(client, "get_config", "{}", -1, nullptr, nullptr) == MONA_OK, "service");
    require(mona_client_close(client, -1, nullptr) == MONA_OK, "close");
    mona_client_free(client);
}

int main()
{
    try {
        one_round();
        std::string failure;
        std::thread other([&failure] {
            try {
                one_round();
            } catch (const std::exception &error) {
                failure = error.what();
            }
        });
        other.join();
        require(failure.empty(), failure.c_str());
    } catch (const std::exception &error) {
        std::fprintf(stderr, "failed: %s\n", error.what());
        return 1;
    }
    return 0;
}

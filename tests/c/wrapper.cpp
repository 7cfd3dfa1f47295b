/* mona.hpp: what a C++ program sees of each promise of mona.h. */
#include <mona.hpp>

#include <cstdio>
#include <cstdlib>
#include <type_traits>
#include <vector>

#define CHECK(condition) check((condition), __LINE__, #condition)

static void check(bool holds, int line, const char *what)
{
    if (holds)
        return;
    std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, line, what);
    std::exit(1);
}

static bool has(const std::string &text, const char *part)
{
    return text.find(part) != std::string::npos;
}

/* What a call throws, which must be of this class. */
template <typename Error, typename Call>
static Error thrown(Call call)
{
    try {
        call();
    } catch (const Error &error) {
        return error;
    }
    check(false, __LINE__, "it throws");
    std::abort();
}

static const char *const message = R"({"message": {"a": 1}, "contextClass": "C"})";
static const char *const bad = R"([{"message": {"a": 1}, "contextClass": "C"}, 7])";

static_assert(std::is_nothrow_move_constructible_v<mona::client>);
static_assert(std::is_nothrow_move_assignable_v<mona::client>);
static_assert(!std::is_copy_constructible_v<mona::client>);
static_assert(std::is_base_of_v<std::runtime_error, mona::error>);

static void calls_give_their_documents()
{
    mona::client client;
    CHECK(client.active() && has(client.created(), "\"success\":true"));
    CHECK(mona::version() == MONA_VERSION_STRING);
    mona::result sent = client.export_json(message);
    CHECK(sent.ok() && has(sent.document, "\"sent\":1"));
    CHECK(client.service_call("get_config").ok());
    CHECK(client.enqueue(message).ok() && client.flush().ok());
    CHECK(has(client.stats(), "\"delivered\":1"));
    CHECK(client.close(mona::forever).ok());
    auto closed = thrown<mona::closed_error>([&] { client.export_json(message); });
    CHECK(closed.status() == MONA_ERROR_CLOSED && closed.kind() == "closed" && !closed.retriable());
}

static void a_deadline_in_the_past_is_not_waited_for()
{
    mona::client client(R"({"override_rest_api_host": "127.0.0.1:1", "queue": {"free_timeout_ms": 0}})");
    std::chrono::milliseconds past{-5};
    CHECK(client.poll(past) == MONA_TIMEOUT);
    CHECK(client.enqueue(message).ok() && client.flush(past).status == MONA_TIMEOUT);
    CHECK(has(client.close(past).document, "\"undelivered\":1"));
}

static void texts_need_no_end()
{
    std::string_view config = "{\"async_workers\": 1}x", options = "{\"timeout_ms\": 9000}x";
    std::string_view payload = R"({"message": {"a": 1}, "contextClass": "C"}x)";
    mona::client client(config.substr(0, config.size() - 1));
    CHECK(client.export_json(payload.substr(0, payload.size() - 1), options.substr(0, options.size() - 1)).ok());
    auto error = thrown<mona::invalid_argument_error>([&] { client.export_json({}); });
    CHECK(has(error.what(), "messages_json: "));
}

static void texts_that_c_would_cut_off_are_refused()
{
    using namespace std::string_view_literals;
    mona::client client;
    auto refused = [](const char *name, auto call) {
        auto error = thrown<mona::invalid_argument_error>(call);
        CHECK(has(error.what(), name) && has(error.what(), "NUL") && error.kind() == "invalid_argument");
    };
    std::string service("get_config\0x"sv);
    refused("config", [] { mona::client nobody("{}\0"sv); });
    refused("options", [&] { client.export_json(message, "{}\0x"sv); });
    refused("service", [&] { client.service_call(service); });
    refused("service", [&] { (void)client.service_call_async(service); });
}

static void a_negative_status_is_thrown_and_a_positive_one_is_not()
{
    mona::client forgiving;
    mona::result failed = forgiving.export_json(bad);
    CHECK(failed.status == MONA_FAILED && !failed.ok() && has(failed.document, "\"failed\":1"));

    mona::client strict(R"({"raise_export_exceptions": true})");
    auto error = thrown<mona::export_error>([&] { strict.export_json(bad); });
    CHECK(error.status() == MONA_ERROR_EXPORT && has(error.document(), "\"failed\":1"));
    CHECK(!error.kind().empty() && std::string(error.what()).size() > 0);

    mona::client cut_off(R"({"override_rest_api_host": "127.0.0.1:1", "raise_export_exceptions": true})");
    CHECK(thrown<mona::export_error>([&] { cut_off.export_json(message); }).retriable());
    auto any = thrown<mona::error>([] { mona::client nobody(R"({"api_keey": "k"})"); });
    CHECK(any.status() == MONA_ERROR_INITIALIZATION && has(any.what(), "\"api_keey\""));
    thrown<mona::initialization_error>([] { mona::client nobody(R"({"user_id": 1})"); });
    thrown<mona::invalid_argument_error>([] { mona::client nobody("{"); });
    auto unknown = thrown<mona::invalid_argument_error>([&] { forgiving.service_call("get_confog"); });
    CHECK(has(unknown.what(), "did you mean \"get_config\"?"));
}

static void the_words_of_a_document_are_read()
{
    using mona::detail::member;
    using mona::detail::text_of;
    const char *document = R"({"a":{"error_kind":"x","b":["}",{}]},"q\"uoted":"\\","error_kind":"y","n":-7})";
    CHECK(member(document, "error_kind") == "\"y\"" && member(document, "n") == "-7");
    CHECK(member(document, "b").empty() && member("{}", "b").empty() && member("", "b").empty());
    CHECK(text_of(R"("a\"\\\/\n\u00e9\u20ac\ud83d\ude00")") == "a\"\\/\n\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    CHECK(text_of("null").empty());
}

static void a_moved_client_goes_on()
{
    mona::client first;
    std::future<mona::result> future = first.export_async(message);
    first.run_polls();
    mona::client second = std::move(first);
    CHECK(future.get().ok());
    second = mona::client();
    CHECK(second.export_json(message).ok());
}

static void polls_fulfil_futures()
{
    mona::client client(R"({"raise_service_exceptions": true})");
    CHECK(client.event_fd() >= 0);
    auto sent = client.export_async(message);
    auto config = client.service_call_async("get_config");
    auto wrong = client.export_async("[");
    for (int event = 0; event < 3; event++)
        CHECK(client.poll() == MONA_OK);
    CHECK(has(sent.get().document, "{\"type\":\"export\",\"tag\":\"1\",\"status\":0,\"success\":true"));
    CHECK(has(config.get().document, "\"type\":\"service\""));
    CHECK(has(thrown<mona::invalid_argument_error>([&] { wrong.get(); }).what(), "messages_json"));
    CHECK(client.poll(std::chrono::milliseconds(0)) == MONA_TIMEOUT);
    client.wake();
    CHECK(client.poll() == MONA_TIMEOUT);
    thrown<mona::invalid_argument_error>([&] { (void)client.service_call_async("none"); });
    client.close(mona::forever);
    CHECK(client.poll() == MONA_ERROR_CLOSED);
    thrown<mona::closed_error>([&] { (void)client.export_async(message); });
}

static void a_thread_polls_where_it_is_told_to()
{
    mona::client client;
    client.run_polls();
    std::vector<std::future<mona::result>> futures;
    for (int call = 0; call < 200; call++)
        futures.push_back(client.export_async(message));
    for (auto &future : futures)
        CHECK(future.get().ok());
}

static void what_has_no_future_goes_to_the_handler()
{
    mona::client client(R"({"queue": {"delivery_events": "all"}})");
    std::vector<std::string> events;
    client.on_event([&](std::string_view event) { events.emplace_back(event); });
    CHECK(client.enqueue(message).ok() && client.flush().ok());
    CHECK(client.poll() == MONA_OK);
    CHECK(events.size() == 1 && has(events[0], "\"type\":\"delivery\"") && has(events[0], "\"delivered\":1"));
}

static void what_a_handler_throws_comes_out_of_the_futures()
{
    mona::client client(R"({"queue": {"delivery_events": "all"}})");
    client.on_event([](std::string_view) { throw std::runtime_error("no"); });
    CHECK(client.enqueue(message).ok() && client.flush().ok());
    auto sent = client.export_async(message);
    client.run_polls();
    CHECK(has(thrown<std::runtime_error>([&] { sent.get(); }).what(), "no"));
    CHECK(has(thrown<std::runtime_error>([&] { (void)client.export_async(message); }).what(), "no"));
}

static void a_full_queue_and_a_destroyed_client_are_told_apart()
{
    std::future<mona::result> future;
    {
        mona::client client(R"({"async_max_calls": 1})");
        future = client.export_async(message);
        CHECK(thrown<mona::queue_full_error>([&] { (void)client.export_async(message); }).retriable());
    }
    thrown<mona::closed_error>([&] { future.get(); });
}

int main()
{
    calls_give_their_documents();
    a_deadline_in_the_past_is_not_waited_for();
    texts_need_no_end();
    texts_that_c_would_cut_off_are_refused();
    a_negative_status_is_thrown_and_a_positive_one_is_not();
    the_words_of_a_document_are_read();
    a_moved_client_goes_on();
    polls_fulfil_futures();
    a_thread_polls_where_it_is_told_to();
    what_has_no_future_goes_to_the_handler();
    what_a_handler_throws_comes_out_of_the_futures();
    a_full_queue_and_a_destroyed_client_are_told_apart();
    return 0;
}

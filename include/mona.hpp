/**
 * @file mona.hpp
 * libmona for C++17 and later: a client that frees itself, exceptions, futures. Only this header and mona.h, nothing to link but
 * libmona and the system's threads.
 *
 *     mona::client client;                                  // the account is in the environment
 *     mona::result sent = client.export_json(R"({"contextClass": "LOANS", "message": {"approved": true}})");
 *
 * Payloads, documents, keys and options are JSON text, as mona.h and docs/ describe them. A negative status is thrown, as the class
 * of `mona::error` that belongs to it; any other is returned with its document, so that the raise settings
 * (`raise_export_exceptions` and the like) choose here, as in the Python package, what is an exception. The log callback and the
 * functions for forks belong to no client, and are those of mona.h.
 *
 * All methods may be called from any thread, at the same time too, except that moving and destroying a client come
 * before or after everything else.
 */
#ifndef MONA_HPP
#define MONA_HPP

#include <mona.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>

namespace mona {

/** Waits as long as it takes. Any other time has an end, and a negative one, such as that to a deadline in the past, is none. */
inline constexpr std::chrono::milliseconds forever = (std::chrono::milliseconds::max)();

/** What a call gave that did not throw. */
struct result {
    /** `MONA_OK`, `MONA_FAILED` or `MONA_TIMEOUT`. */
    mona_status status;
    /** One JSON object, as mona.h describes it for the call. */
    std::string document;

    /** @return Whether the status is `MONA_OK`. */
    [[nodiscard]] bool ok() const noexcept { return status == MONA_OK; }
};

namespace detail {

/** The position after the JSON text that begins at `at`: up to the comma or bracket that ends it. */
inline std::size_t skip_value(std::string_view json, std::size_t at)
{
    int depth = 0;
    bool quoted = false;
    for (; at < json.size(); at++) {
        char c = json[at];
        if (quoted) {
            if (c == '\\')
                at++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (depth == 0)
                return at;
            depth--;
        } else if (c == ',' && depth == 0) {
            return at;
        }
    }
    return at;
}

/** The JSON text of a member of one of libmona's documents, which have no spaces between tokens; empty if there is none. */
inline std::string_view member(std::string_view document, std::string_view name)
{
    for (std::size_t at = 1; at < document.size();) {
        std::size_t end = skip_value(document, at);
        std::string_view pair = document.substr(at, end - at);
        if (pair.size() > name.size() + 3 && pair.substr(1, name.size()) == name &&
            pair.substr(name.size() + 1, 2) == "\":")
            return pair.substr(name.size() + 3);
        at = end + 1;
    }
    return {};
}

inline void append_utf8(std::string &text, unsigned long code)
{
    auto tail = [&](int shift) { text += static_cast<char>(0x80 | (code >> shift & 0x3f)); };
    if (code < 0x80) {
        text += static_cast<char>(code);
    } else if (code < 0x800) {
        text += static_cast<char>(0xc0 | code >> 6);
        tail(0);
    } else if (code < 0x10000) {
        text += static_cast<char>(0xe0 | code >> 12);
        tail(6);
        tail(0);
    } else {
        text += static_cast<char>(0xf0 | code >> 18);
        tail(12);
        tail(6);
        tail(0);
    }
}

/** What a JSON string says; empty for anything else. */
inline std::string text_of(std::string_view json)
{
    std::string text;
    auto unit = [&](std::size_t at) { return std::stoul(std::string(json.substr(at, 4)), nullptr, 16); };
    for (std::size_t at = 1; at + 1 < json.size() && json[0] == '"'; at++) {
        if (json[at] != '\\') {
            text += json[at];
            continue;
        }
        switch (json[++at]) {
        case 'b': text += '\b'; break;
        case 'f': text += '\f'; break;
        case 'n': text += '\n'; break;
        case 'r': text += '\r'; break;
        case 't': text += '\t'; break;
        case 'u': {
            unsigned long code = unit(at + 1);
            at += 4;
            if (code >= 0xd800 && code < 0xdc00) {
                code = 0x10000 + ((code - 0xd800) << 10) + (unit(at + 3) - 0xdc00);
                at += 6;
            }
            append_utf8(text, code);
            break;
        }
        default: text += json[at];
        }
    }
    return text;
}

} // namespace detail

/** Any failure that is thrown. Its text is the document's `error_message`. */
class error : public std::runtime_error {
public:
    /**
     * Of a call that failed.
     *
     * @param status    Its status.
     * @param document  Its document; `what()` is the `error_message` in it.
     */
    error(mona_status status, std::string document)
        : std::runtime_error(detail::text_of(detail::member(document, "error_message"))),
          status_(status),
          kind_(detail::text_of(detail::member(document, "error_kind"))),
          document_(std::move(document))
    {
    }

    /** @return A negative status of mona.h. */
    [[nodiscard]] mona_status status() const noexcept { return status_; }
    /** @return The stable word of `error_kind`, such as "connection". */
    [[nodiscard]] const std::string &kind() const noexcept { return kind_; }
    /** @return Whether the same call may succeed later. */
    [[nodiscard]] bool retriable() const { return detail::member(document_, "retriable") == "true"; }
    /** @return The whole document. */
    [[nodiscard]] const std::string &document() const noexcept { return document_; }

private:
    mona_status status_;
    std::string kind_;
    std::string document_;
};

/** `MONA_ERROR_INVALID_ARGUMENT` */
class invalid_argument_error : public error {
    using error::error;
};
/** `MONA_ERROR_INITIALIZATION` */
class initialization_error : public error {
    using error::error;
};
/** `MONA_ERROR_AUTHENTICATION` */
class authentication_error : public error {
    using error::error;
};
/** `MONA_ERROR_EXPORT` */
class export_error : public error {
    using error::error;
};
/** `MONA_ERROR_SERVICE` */
class service_error : public error {
    using error::error;
};
/** `MONA_ERROR_QUEUE_FULL` */
class queue_full_error : public error {
    using error::error;
};
/** `MONA_ERROR_CLOSED` */
class closed_error : public error {
    using error::error;
};
/** `MONA_ERROR_INTERNAL` */
class internal_error : public error {
    using error::error;
};

namespace detail {

[[noreturn]] inline void raise(mona_status status, std::string document)
{
    switch (status) {
    case MONA_ERROR_INVALID_ARGUMENT: throw invalid_argument_error(status, std::move(document));
    case MONA_ERROR_INITIALIZATION: throw initialization_error(status, std::move(document));
    case MONA_ERROR_AUTHENTICATION: throw authentication_error(status, std::move(document));
    case MONA_ERROR_EXPORT: throw export_error(status, std::move(document));
    case MONA_ERROR_SERVICE: throw service_error(status, std::move(document));
    case MONA_ERROR_QUEUE_FULL: throw queue_full_error(status, std::move(document));
    case MONA_ERROR_CLOSED: throw closed_error(status, std::move(document));
    case MONA_ERROR_INTERNAL: throw internal_error(status, std::move(document));
    default: throw error(status, std::move(document));
    }
}

/** Where a C function puts its document; frees it. */
class document {
public:
    document() = default;
    document(const document &) = delete;
    document &operator=(const document &) = delete;
    ~document() { mona_string_free(text_); }

    char **out() noexcept { return &text_; }
    [[nodiscard]] std::string text() const { return text_ == nullptr ? std::string() : text_; }

private:
    char *text_ = nullptr;
};

/** Calls a C function with a place for its document; throws negative statuses. */
template <typename Call>
result checked(Call call)
{
    document out;
    mona_status status = call(out.out());
    if (status < 0)
        raise(status, out.text());
    return {status, out.text()};
}

/** C would read a text up to its first NUL. */
inline void refuse_nul(const char *name, std::string_view text)
{
    if (text.find('\0') != std::string_view::npos)
        raise(MONA_ERROR_INVALID_ARGUMENT, std::string(R"({"success":false,"error_message":")") + name +
                                               R"( must not contain NUL","error_kind":"invalid_argument","retriable":false})");
}

/** NUL-terminated text for C, or NULL where there is none. */
class optional_text {
public:
    optional_text(const char *name, std::string_view text) : text_(text) { refuse_nul(name, text); }
    [[nodiscard]] const char *get() const noexcept { return text_.empty() ? nullptr : text_.c_str(); }

private:
    std::string text_;
};

/** A time for C, to which a negative one has no end. */
inline std::int64_t wait(std::chrono::milliseconds timeout) noexcept
{
    if (timeout == forever)
        return -1;
    return timeout.count() < 0 ? 0 : timeout.count();
}

/** The beginning of a payload, never NULL. */
inline const char *bytes(std::string_view payload) noexcept
{
    return payload.data() == nullptr ? "" : payload.data();
}

inline std::int64_t length(std::string_view payload) noexcept
{
    return static_cast<std::int64_t>(payload.size());
}

} // namespace detail

/** @return The version of the loaded library, such as "0.1.0". */
inline std::string_view version() noexcept
{
    return mona_version_string();
}

/**
 * The name of a status.
 *
 * @param status  Any number.
 * @return Its name, such as "MONA_OK".
 */
inline std::string_view status_name(mona_status status) noexcept
{
    return mona_status_name(status);
}

/**
 * A client of one Mona account. Can be moved, not copied; a client that was moved from can only be destroyed or assigned to.
 *
 * `config` is one JSON object (docs/configuration.md); where a method takes `options`, those of its C function. Empty is
 * none.
 */
class client {
public:
    /** What is done with events that belong to no future: those of types "delivery" and "log", as JSON. */
    using event_handler = std::function<void(std::string_view event)>;

    /**
     * Makes a client, as `mona_client_new` does.
     *
     * @param config  One JSON object, or empty: then the environment alone counts.
     * @throw error  A negative status: `initialization_error`, say.
     */
    explicit client(std::string_view config = {}) : state_(std::make_unique<state>())
    {
        detail::optional_text text("config", config);
        created_ = detail::checked([&](char **out) {
                       return mona_client_new(text.get(), &state_->handle, out);
                   }).document;
    }

    /** The client moves; calls under way must have ended. */
    client(client &&) noexcept = default;
    /** Frees the client that was here. @return This client. */
    client &operator=(client &&) noexcept = default;

    /** Frees it as `mona_client_free` does. A future that no poll has fulfilled throws `closed_error`. */
    ~client() = default;

    /** @return The document of `mona_client_new`: it says why a client is not active. */
    [[nodiscard]] const std::string &created() const noexcept { return created_; }
    /** @return Whether it is logged in. */
    [[nodiscard]] bool active() const noexcept { return mona_client_is_active(handle()) == 1; }
    /** @return The handle, for functions of mona.h; it stays this client's. */
    [[nodiscard]] mona_client *handle() const noexcept { return state_ ? state_->handle : nullptr; }

    /**
     * `mona_export_json`: waits for the answer.
     *
     * @param messages  One message object or an array of them.
     * @param options   One object, or empty.
     * @return What was sent and what failed.
     */
    result export_json(std::string_view messages, std::string_view options = {})
    {
        detail::optional_text text("options", options);
        return detail::checked([&](char **out) {
            return mona_export_json(handle(), detail::bytes(messages), detail::length(messages),
                                    text.get(), out);
        });
    }

    /**
     * `mona_service_call`: waits for the answer.
     *
     * @param service    The service's name.
     * @param arguments  One object.
     * @param options    One object, or empty.
     * @return The service's answer.
     */
    result service_call(const std::string &service, std::string_view arguments = "{}",
                        std::string_view options = {})
    {
        detail::refuse_nul("service", service);
        detail::optional_text text("options", options);
        return detail::checked([&](char **out) {
            return mona_service_call(handle(), service.c_str(), detail::bytes(arguments),
                                     detail::length(arguments), text.get(), out);
        });
    }

    /**
     * `mona_enqueue_json`: accepts messages, delivers them later.
     *
     * @param messages  One message object or an array of them.
     * @param options   One object, or empty.
     * @return What was accepted.
     * @throw queue_full_error  No message was, because there is no room.
     */
    result enqueue(std::string_view messages, std::string_view options = {})
    {
        detail::optional_text text("options", options);
        return detail::checked([&](char **out) {
            return mona_enqueue_json(handle(), detail::bytes(messages), detail::length(messages),
                                     text.get(), out);
        });
    }

    /**
     * `mona_flush`: waits until what was enqueued is settled.
     *
     * @param timeout  How long at most; `forever`: as long as it takes.
     * @return How many messages are still pending; status `MONA_TIMEOUT` when the time was up first.
     */
    result flush(std::chrono::milliseconds timeout = forever)
    {
        return detail::checked(
            [&](char **out) { return mona_flush(handle(), detail::wait(timeout), out); });
    }

    /** `mona_stats_json`. @return The statistics as JSON: docs/statistics.md. */
    [[nodiscard]] std::string stats() const
    {
        return detail::checked([&](char **out) { return mona_stats_json(handle(), out); }).document;
    }

    /**
     * `mona_client_close`: refuses new calls, waits for those under way and for delivery.
     *
     * @param timeout  How long at most; `forever`: as long as it takes.
     * @return What was not delivered; status `MONA_TIMEOUT` when calls are still under way.
     */
    result close(std::chrono::milliseconds timeout)
    {
        return detail::checked(
            [&](char **out) { return mona_client_close(handle(), detail::wait(timeout), out); });
    }

    /**
     * `mona_export_json_async`: starts an export. The future is fulfilled by `poll`, so somebody has to call that: the program,
     * or the thread of `run_polls`.
     *
     * @param messages  One message object or an array of them; copied.
     * @param options   One object, or empty.
     * @return The event as its document; or it throws what `export_json` would.
     */
    [[nodiscard]] std::future<result> export_async(std::string_view messages,
                                                   std::string_view options = {})
    {
        detail::optional_text text("options", options);
        return start([&](std::uint64_t tag, char **out) {
            return mona_export_json_async(handle(), detail::bytes(messages),
                                          detail::length(messages), text.get(), tag, out);
        });
    }

    /**
     * `mona_service_call_async`: starts a service call, as `export_async` does an export.
     *
     * @param service    The service's name.
     * @param arguments  One object; copied.
     * @param options    One object, or empty.
     * @return The event as its document; or it throws what `service_call` would.
     */
    [[nodiscard]] std::future<result> service_call_async(const std::string &service,
                                                         std::string_view arguments = "{}",
                                                         std::string_view options = {})
    {
        detail::refuse_nul("service", service);
        detail::optional_text text("options", options);
        return start([&](std::uint64_t tag, char **out) {
            return mona_service_call_async(handle(), service.c_str(), detail::bytes(arguments),
                                           detail::length(arguments), text.get(), tag, out);
        });
    }

    /**
     * What is done with other events, on the thread that polls. To be set before the first poll.
     *
     * @param handler  Gets each event's document, valid during the call.
     */
    void on_event(event_handler handler) { state_->handler = std::move(handler); }

    /**
     * Takes one event, if need be waiting for it, and fulfils its future or calls the handler.
     *
     * @param timeout  How long at most; `forever`: as long as it takes.
     * @return `MONA_OK`: there was one. `MONA_TIMEOUT`: none in time, or `wake`. `MONA_ERROR_CLOSED`, which is returned here: the client is
     *     closed and all is collected.
     */
    mona_status poll(std::chrono::milliseconds timeout = forever) { return state_->poll(timeout); }

    /** `mona_wake`: ends one poll that waits, or the next one. */
    void wake() noexcept { mona_wake(handle()); }

    /** `mona_event_fd`. @return A descriptor that is readable while `poll` has something to take; -1 if there is none. */
    [[nodiscard]] int event_fd() noexcept { return mona_event_fd(handle()); }

    /**
     * Has a thread of this client's own poll from now on, until the client is closed or destroyed. What the handler of `on_event` throws ends
     * it, and is thrown by all futures that are not fulfilled, and by later calls for one. A forked child has no such thread: a
     * program that forks calls this in each child, and not before.
     */
    void run_polls()
    {
        std::lock_guard<std::mutex> lock(state_->mutex);
        if (!state_->pump.joinable())
            state_->pump = std::thread([state = state_.get()] { state->run(); });
    }

private:
    /** @cond */
    /** What stays where it is when the client is moved. */
    struct state {
        mona_client *handle = nullptr;
        event_handler handler;
        std::mutex mutex;
        std::uint64_t last_tag = 0;
        bool stopping = false;
        std::unordered_map<std::uint64_t, std::promise<result>> promises;
        std::thread pump;
        std::exception_ptr failure;

        state() = default;
        state(const state &) = delete;
        state &operator=(const state &) = delete;

        ~state()
        {
            if (pump.joinable()) {
                {
                    std::lock_guard<std::mutex> lock(mutex);
                    stopping = true;
                }
                mona_wake(handle);
                pump.join();
            }
            mona_client_free(handle);
            fail(std::make_exception_ptr(
                closed_error(MONA_ERROR_CLOSED, R"({"success":false,"error_message":"The client was destroyed",)"
                                                R"("error_kind":"closed","retriable":false})")));
        }

        /** Nobody will fulfil the promises any more, nor later ones. */
        void fail(const std::exception_ptr &cause)
        {
            std::lock_guard<std::mutex> lock(mutex);
            failure = cause;
            for (auto &left : promises)
                left.second.set_exception(cause);
            promises.clear();
        }

        mona_status poll(std::chrono::milliseconds timeout)
        {
            std::uint64_t tag = 0;
            detail::document event;
            mona_status status = mona_poll(handle, detail::wait(timeout), &tag, event.out());
            if (status == MONA_OK)
                take(tag, event.text());
            else if (status < 0 && status != MONA_ERROR_CLOSED)
                detail::raise(status, event.text());
            return status;
        }

        void take(std::uint64_t tag, std::string event)
        {
            std::unique_lock<std::mutex> lock(mutex);
            auto found = promises.find(tag);
            if (found == promises.end()) {
                lock.unlock();
                if (handler)
                    handler(event);
                return;
            }
            std::promise<result> promise = std::move(found->second);
            promises.erase(found);
            lock.unlock();
            auto status = static_cast<mona_status>(
                std::stol(std::string(detail::member(event, "status"))));
            try {
                if (status < 0)
                    detail::raise(status, std::move(event));
                promise.set_value({status, std::move(event)});
            } catch (const error &) {
                promise.set_exception(std::current_exception());
            }
        }

        void run()
        {
            try {
                bool over = false;
                while (!over) {
                    over = poll(forever) == MONA_ERROR_CLOSED;
                    std::lock_guard<std::mutex> lock(mutex);
                    over = over || stopping;
                }
            } catch (...) {
                fail(std::current_exception());
            }
        }
    };
    /** @endcond */

    /** Keeps a promise before the call starts, because its event may come at once. */
    template <typename Start>
    std::future<result> start(Start start_call)
    {
        std::promise<result> promise;
        std::future<result> future = promise.get_future();
        std::unique_lock<std::mutex> lock(state_->mutex);
        if (state_->failure)
            std::rethrow_exception(state_->failure);
        std::uint64_t tag = ++state_->last_tag;
        state_->promises.emplace(tag, std::move(promise));
        lock.unlock();
        try {
            detail::checked([&](char **out) { return start_call(tag, out); });
        } catch (...) {
            lock.lock();
            state_->promises.erase(tag);
            throw;
        }
        return future;
    }

    std::unique_ptr<state> state_;
    std::string created_;
};

} // namespace mona

#endif

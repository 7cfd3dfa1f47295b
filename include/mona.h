/**
 * @file mona.h
 * libmona: the native client of the Mona monitoring service (monalabs.io).
 *
 * Generated from the sources in src/ffi: do not edit.
 *
 * Every function may be called from any thread. Strings are UTF-8. A call that can fail returns a `mona_status`. Where
 * there is more to tell, it takes a last `char **out_json`, which may be NULL; when it is not, it is set on every return to one JSON
 * document that the caller frees with `mona_string_free`. Each document has `success` (boolean) and `error_message`
 * (text or null); one of a failure also has `error_kind` (a stable word) and `retriable` (boolean). No call leaves an error
 * behind in a thread, and no panic of the library ever reaches the caller. The library starts no thread, opens no file and no connection
 * before the first call that needs one. A forked child may use or free an inherited client at once: it makes connections and
 * threads of its own, keeps the access token, and begins with an empty queue, because the parent delivers what the parent accepted.
 * Once loaded it stays loaded: dlclose does not unmap it.
 */

#ifndef MONA_H
#define MONA_H

#include <stdint.h>

/** The version of the library that this header describes: its first part, */
#define MONA_VERSION_MAJOR 0
/** its second part, */
#define MONA_VERSION_MINOR 1
/** its third part, */
#define MONA_VERSION_PATCH 0
/** the whole as text, */
#define MONA_VERSION_STRING "0.1.0"
/** and as a number that can be compared, with a byte for each part. */
#define MONA_VERSION_NUMBER ((MONA_VERSION_MAJOR << 16) | (MONA_VERSION_MINOR << 8) | MONA_VERSION_PATCH)

/**
 * The version of the binary interface that this header describes.
 */
#define MONA_ABI_VERSION 0

/**
 * A client of one Mona account. Opaque: made by `mona_client_new`, freed by `mona_client_free`.
 *
 * Every function may be called on the same client from any thread, at the same time too; only
 * `mona_client_free` must be the last.
 */
typedef struct mona_client mona_client;

/**
 * What a call returns: 0 is success, positive is a failure that the client is configured not to raise, negative is an error.
 */
typedef int32_t mona_status;

/**
 * A function of the host that takes log records.
 *
 * @param level      Python's number of the level: 10 debug, 20 info, 30 warning, 40 error.
 * @param logger     The client's `logger_name`.
 * @param message    The record: one line of UTF-8, without secrets. Both texts are valid during the call only.
 * @param user_data  As given to `mona_set_log_callback`.
 */
typedef void (*mona_log_callback)(int32_t level,
                                  const char *logger,
                                  const char *message,
                                  void *user_data);

/**
 * It worked.
 */
#define MONA_OK 0

/**
 * It did not work, and the client is configured not to raise failures of this kind: the document says why.
 */
#define MONA_FAILED 1

/**
 * The time was up first; nothing is lost.
 */
#define MONA_TIMEOUT 2

/**
 * The caller's mistake, whatever the raise settings: NULL, invalid UTF-8, text that is not JSON, an unknown service, argument or option.
 */
#define MONA_ERROR_INVALID_ARGUMENT (-1)

/**
 * The client cannot be made from this configuration, or not just now.
 */
#define MONA_ERROR_INITIALIZATION (-2)

/**
 * A login failed, and `raise_authentication_exceptions` is true.
 */
#define MONA_ERROR_AUTHENTICATION (-3)

/**
 * An export failed, wholly or in part, and `raise_export_exceptions` is true.
 */
#define MONA_ERROR_EXPORT (-4)

/**
 * A service call failed, and `raise_service_exceptions` is true.
 */
#define MONA_ERROR_SERVICE (-5)

/**
 * The background queue's bound is reached, or the system has nothing to spare for it; this call enqueued nothing.
 */
#define MONA_ERROR_QUEUE_FULL (-6)

/**
 * The client is closed.
 */
#define MONA_ERROR_CLOSED (-7)

/**
 * A bug in the library. The host is safe: the call has ended and the client can still be used.
 */
#define MONA_ERROR_INTERNAL (-8)

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The name of a status. Any thread may call this at any time.
 *
 * @param status  Any number.
 * @return Its name, such as `"MONA_OK"`, or `"MONA_STATUS_UNKNOWN"`. The text is static: it must not be freed.
 */
const char *mona_status_name(mona_status status);

/**
 * Makes a client.
 *
 * @param config_json  One JSON object, NUL-terminated, or NULL: then the environment alone counts. The keys
 *     are the arguments of the Python package's `Client` and some of this library's own; each has a default,
 *     most can be set by an environment variable. docs/configuration.md lists them all.
 * @param out_client   Receives the client, or NULL when none was made. Must not be NULL.
 * @param out_json     May be NULL. Receives a document, to be freed with `mona_string_free`:
 *     `success`, `error_message`, and on failure `error_kind` and `retriable`.
 * @return `MONA_OK`: there is a client. If its login failed (and `raise_authentication_exceptions` is
 *     false), the document says so and the client is not active; it logs in again at a later call, when its
 *     back-off (2 s doubling to 60 s) has passed.
 *     `MONA_ERROR_INITIALIZATION`: the configuration is wrong; the message names the key. Or, with a spool, the system has no
 *     thread, descriptor or memory to spare for it just now (`error_kind` `resources`, `retriable`).
 *     `MONA_ERROR_AUTHENTICATION`: the login failed and is to be raised.
 *     `MONA_ERROR_SERVICE`: the factors of `sampling_config_name` could not be fetched and that is to be raised.
 *     `MONA_ERROR_INVALID_ARGUMENT`: `config_json` is no JSON object, among others. `MONA_ERROR_INTERNAL`.
 *
 * A client that is neither closed nor freed when the program returns from `main` or calls `exit` delivers what is enqueued in memory
 * for up to `queue.exit_timeout_ms` (2,000 ms); docs/threads-and-exit.md tells what happens at every other end.
 *
 * Logs in before it returns, unless `authenticate_on_init` is false or the process has a token for the same mode, URLs, key, secret,
 * scope, proxy and `ca_file`; how long that may take is up to the authentication's retries and waits.
 *
 * @pre `config_json` is NULL or NUL-terminated; `out_client` and `out_json` are NULL or writable.
 */
mona_status mona_client_new(const char *config_json,
                            mona_client **out_client,
                            char **out_json);

/**
 * Whether the client is logged in. Never waits.
 *
 * @param client  The client, or NULL.
 * @return 1: it is, or needs no login. 0: it is not, or is closed, or is NULL.
 *
 * @pre `client` is NULL or a client that was not freed.
 */
int32_t mona_client_is_active(const mona_client *client);

/**
 * Closes a client: calls that begin afterwards return `MONA_ERROR_CLOSED`; those under way go on. What is
 * enqueued is delivered as far as the time allows, but a server that has to be left alone is not waited for; the rest is
 * dropped, or kept for the next run where the client has a spool. Asynchronous calls that have not begun end as events that say
 * so.
 *
 * @param client      The client; it still has to be freed. `mona_stats_json` still works, and `mona_poll` gives what is left to
 *     collect.
 * @param timeout_ms  How long to wait for calls under way and for delivery, in milliseconds; 0 waits for
 *     nothing but threads of the client that are just ending, 0.2 s at most, a negative number for as long as they take.
 * @param out_json    May be NULL. Receives a document, to be freed with `mona_string_free`: `success`,
 *     `undelivered` (messages that were enqueued and that closing dropped, by this call or an earlier one, or that are in a
 *     request that nobody waits for), `on_disk` (messages that the spool keeps), `error_message`; on failure also
 *     `error_kind` and `retriable`.
 * @return `MONA_OK`: no call is under way. `MONA_TIMEOUT`: some still are; calling this again waits again.
 *     `MONA_ERROR_INVALID_ARGUMENT`, `MONA_ERROR_INTERNAL`.
 *
 * @pre `client` is NULL or a client that was not freed; `out_json` is NULL or writable.
 */
mona_status mona_client_close(mona_client *client,
                              int64_t timeout_ms,
                              char **out_json);

/**
 * Frees a client. NULL does nothing.
 *
 * Closes it first and waits for calls of other threads that are under way, each of which its time-outs
 * bound. What is still enqueued is delivered for up to `queue.free_timeout_ms` (2,000 ms) and dropped then: to
 * wait longer, or to learn what was dropped, call `mona_client_close` before. A `mona_poll` that waits is ended; events that nobody
 * collected are lost. Must be the last call on this client.
 *
 * @param client  The client, or NULL.
 *
 * @pre `client` is NULL or came from `mona_client_new` and was not freed yet.
 */
void mona_client_free(mona_client *client);

/**
 * Sends messages to Mona and waits for the answer.
 *
 * @param client         The client.
 * @param messages_json  One message object or an array of them, UTF-8 (half a surrogate pair is taken as its escape):
 *     `{"message": {...}, "contextClass": "...", "contextId"?, "exportTimestamp"?, "sendTimestamp"?, "action"?, "sampleConfigName"?}`.
 *     Values travel byte for byte. A message without a timestamp gets the time of the call.
 * @param messages_len   Its length in bytes, less than 4 GiB; negative: it is NUL-terminated.
 * @param options_json   NULL, or an object: `default_action` (text: the action of messages without one),
 *     `filter_none_fields` (boolean: overrides the client's), `timeout_ms` (whole number: bounds the
 *     whole call, login and resend included). NUL-terminated.
 * @param out_json       May be NULL. Receives a document, to be freed with `mona_string_free`:
 *     `success`, `total` (= `sent` + `failed`), `sent`, `failed`, `failure_reasons` (the service's object by the
 *     caller's index, or a text), `sampled_out`, `empty`, `error_message`; on failure also `error_kind` and `retriable`.
 *     `total` + `sampled_out` + `empty` is the number of messages given.
 * @return `MONA_OK`: nothing failed. `MONA_FAILED` or `MONA_ERROR_EXPORT`: some or all messages failed.
 *     `MONA_FAILED` or `MONA_ERROR_AUTHENTICATION`: the client is not logged in.
 *     `MONA_ERROR_INVALID_ARGUMENT`: nothing was sent; the message names the argument and the byte offset.
 *     `MONA_ERROR_CLOSED`, `MONA_ERROR_INTERNAL`.
 *
 * What cannot be a message (not an object, `message` neither object nor null, no text as `contextClass`,
 * nested deeper than 1,000 levels) fails by itself while the others are sent. Those whose `message` is null or `{}`, or becomes
 * so by the filter, are not sent and count as `empty`. Fields whose name begins with `MONA_` are sent as `MY_MONA_…`.
 * The service gets one attempt, another one after it refused the access token, and another where the connection had been unused
 * for a second and was closed before an answer came: what is sent may arrive twice then.
 *
 * @pre `client` is NULL or a client that was not freed; the strings are as described and nobody changes
 * them during the call; `out_json` is NULL or writable.
 */
mona_status mona_export_json(mona_client *client,
                             const char *messages_json,
                             int64_t messages_len,
                             const char *options_json,
                             char **out_json);

/**
 * Calls a service of Mona and waits for the answer.
 *
 * @param client        The client.
 * @param service       Name of the service, which is that of the method of the Python package; NUL-terminated.
 *     docs/services.md lists them all with their arguments.
 * @param args_json     Its arguments: one object, UTF-8.
 * @param args_len      Its length in bytes, less than 4 GiB; negative: it is NUL-terminated.
 * @param options_json  NULL, or an object: `timeout_ms` (whole number: bounds the whole call, login and
 *     resend included). NUL-terminated.
 * @param out_json      May be NULL. Receives a document, to be freed with `mona_string_free`:
 *     `success`, `data`, `error_message`; on failure also `error_kind`, `retriable` and, where the service found fault with what
 *     it was given, `issues`.
 * @return `MONA_OK`: `data` has the answer. `MONA_FAILED` or `MONA_ERROR_SERVICE`: the service refused or could not be reached.
 *     `MONA_FAILED` or `MONA_ERROR_AUTHENTICATION`: the client is not logged in.
 *     `MONA_ERROR_INVALID_ARGUMENT`: nothing was sent; the message names what is wrong.
 *     `MONA_ERROR_CLOSED`, `MONA_ERROR_INTERNAL`.
 *
 * The service gets as many attempts as with `mona_export_json`.
 *
 * @pre As for `mona_export_json`.
 */
mona_status mona_service_call(mona_client *client,
                              const char *service,
                              const char *args_json,
                              int64_t args_len,
                              const char *options_json,
                              char **out_json);

/**
 * Accepts messages and returns at once; a thread of the library delivers them.
 *
 * What was accepted is delivered, rejected by the service with a reason, or counted as expired or dropped:
 * `mona_stats_json` tells. Delivery is in order and at least once. A message without a `contextId` gets one, and one
 * without a timestamp the time of this call, so that sending it again means the same.
 *
 * @param client         The client.
 * @param messages_json  As for `mona_export_json`.
 * @param messages_len   Its length in bytes, less than 4 GiB; negative: it is NUL-terminated.
 * @param options_json   NULL, or an object: `default_action` (text) and `filter_none_fields` (boolean), as for
 *     `mona_export_json`. NUL-terminated.
 * @param out_json       May be NULL. Receives a document, to be freed with `mona_string_free`:
 *     `success`, `accepted`, `failed`, `failure_reasons` (by index), `sampled_out`, `empty`, `error_message`; on failure also
 *     `error_kind` and `retriable`.
 * @return `MONA_OK`: all messages were accepted, but for sampled and empty ones. With any other status none was:
 *     `MONA_ERROR_QUEUE_FULL`: there is no room, after waiting for it if `queue.overflow` is `block` (`error_kind`
 *     `queue_full`; not `retriable` where this call alone is more than the queue may hold), or the disk of `queue.spool_dir`
 *     fails (`storage`), or the system has no thread or descriptor to spare (`resources`).
 *     `MONA_FAILED` or `MONA_ERROR_EXPORT`: a message cannot be one, or is larger than `queue.max_message_bytes`;
 *     `failure_reasons` says which and why.
 *     `MONA_ERROR_INVALID_ARGUMENT`, `MONA_ERROR_CLOSED`, `MONA_ERROR_INTERNAL`; `MONA_ERROR_INITIALIZATION`: a forked child cannot open a spool of its own.
 *
 * The key `queue` of the configuration sets bounds, batches, waits and what happens when there is no room. The
 * first call that enqueues starts the thread. It never waits for the network. With `queue.spool_dir` what was
 * accepted is in that folder until it is settled, and survives the program; `queue.spool_sync` says what more it survives. A
 * later client of the same endpoint and user delivers what an ended program left.
 *
 * @pre As for `mona_export_json`.
 */
mona_status mona_enqueue_json(mona_client *client,
                              const char *messages_json,
                              int64_t messages_len,
                              const char *options_json,
                              char **out_json);

/**
 * Waits until every message that was accepted before this call is settled: delivered, rejected, expired or
 * dropped. Does not linger, but waits as long as a server has to be left alone.
 *
 * @param client      The client.
 * @param timeout_ms  How long to wait, in milliseconds; negative: as long as it takes.
 * @param out_json    May be NULL. Receives a document, to be freed with `mona_string_free`:
 *     `success`, `pending` (how many of those messages are not settled), `error_message`; on failure also
 *     `error_kind` and `retriable`.
 * @return `MONA_OK`: all are settled. `MONA_TIMEOUT`: some are not; they stay in the queue. `MONA_ERROR_CLOSED`: some are
 *     not, and the client, which was closed, delivers no more; those that its spool keeps are for the next run.
 *     `MONA_ERROR_INVALID_ARGUMENT`, `MONA_ERROR_INTERNAL`.
 *
 * @pre `client` is NULL or a client that was not freed; `out_json` is NULL or writable.
 */
mona_status mona_flush(mona_client *client,
                       int64_t timeout_ms,
                       char **out_json);

/**
 * Tells how the background delivery is going. Never waits.
 *
 * @param client    The client.
 * @param out_json  Receives a document, to be freed with `mona_string_free`: `success`, `error_message` and the
 *     statistics that docs/statistics.md lists.
 * @return `MONA_OK`, `MONA_ERROR_INVALID_ARGUMENT`, `MONA_ERROR_INTERNAL`.
 *
 * @pre `client` is NULL or a client that was not freed; `out_json` is NULL or writable.
 */
mona_status mona_stats_json(mona_client *client,
                            char **out_json);

/**
 * Starts what `mona_export_json` does, and returns at once: `mona_poll` gives the outcome.
 *
 * @param client         The client.
 * @param messages_json  As for `mona_export_json`; copied, so the caller's may change when this has returned.
 * @param messages_len   Its length in bytes; negative: it is NUL-terminated.
 * @param options_json   NULL, or an object as for `mona_export_json`. `timeout_ms` counts from now.
 * @param tag            Any number; the event of this call has the same.
 * @param out_json       May be NULL. Receives a document about the start alone, to be freed with `mona_string_free`:
 *     `success`, `error_message`; on failure also `error_kind` and `retriable`.
 * @return `MONA_OK`: it is started, and will end as exactly one event. With any other status there is no event:
 *     `MONA_ERROR_QUEUE_FULL`: `async_max_calls` are started and not collected, or `async_max_bytes` reached; or
 *     the system has no thread to spare (`error_kind` `resources`).
 *     `MONA_ERROR_INVALID_ARGUMENT`: NULL, invalid UTF-8, or wrong options. What is wrong with the messages
 *     themselves, text that is not JSON too, is told by the event.
 *     `MONA_ERROR_CLOSED`, `MONA_ERROR_INTERNAL`.
 *
 * A thread of the client runs the call: up to `async_workers` of them, started when first needed. Calls begin in the order
 * in which they were started; a message without a timestamp gets the time of this call. When the client is closed, a call that
 * has not begun ends as an event with status `MONA_ERROR_CLOSED`.
 *
 * @pre As for `mona_export_json`.
 */
mona_status mona_export_json_async(mona_client *client,
                                   const char *messages_json,
                                   int64_t messages_len,
                                   const char *options_json,
                                   uint64_t tag,
                                   char **out_json);

/**
 * Starts what `mona_service_call` does, and returns at once: `mona_poll` gives the outcome.
 *
 * @param client        The client.
 * @param service       Name of the service, as for `mona_service_call`.
 * @param args_json     Its arguments: one object, UTF-8; copied, so the caller's may change when this has returned.
 * @param args_len      Its length in bytes; negative: it is NUL-terminated.
 * @param options_json  NULL, or an object as for `mona_service_call`. `timeout_ms` counts from now.
 * @param tag           Any number; the event of this call has the same.
 * @param out_json      As for `mona_export_json_async`.
 * @return As `mona_export_json_async`. `MONA_ERROR_INVALID_ARGUMENT` is also an unknown service; what is wrong with the
 *     arguments themselves is told by the event.
 *
 * @pre As for `mona_export_json`.
 */
mona_status mona_service_call_async(mona_client *client,
                                    const char *service,
                                    const char *args_json,
                                    int64_t args_len,
                                    const char *options_json,
                                    uint64_t tag,
                                    char **out_json);

/**
 * Takes the next event, waiting for one if none is there.
 *
 * @param client          The client.
 * @param timeout_ms      How long to wait, in milliseconds; 0 never waits; negative: until there is an event, or until
 *     `mona_wake`, or until the client is closed or freed and nothing is left to collect.
 * @param out_tag         May be NULL. Receives the tag of the call that the event tells of; 0 when it tells of none, or there is no event.
 * @param out_event_json  May be NULL: then the event is lost. Receives a document, to be freed with `mona_string_free`: the event, or
 *     with any other status than `MONA_OK` why there is none.
 * @return `MONA_OK`: there is an event. `MONA_TIMEOUT`: there was none in time, or `mona_wake` ended the wait.
 *     `MONA_ERROR_CLOSED`: the client is closed, and every event was collected.
 *     `MONA_ERROR_INVALID_ARGUMENT`, `MONA_ERROR_INTERNAL`.
 *
 * The event of a call is the document of the synchronous call with three members in front: `type` (`"export"` or
 * `"service"`), `tag` (as text, because many readers of JSON cannot hold 64 bits) and `status` (the number that the synchronous call
 * would have returned). An event of type `"delivery"`, with tag 0, tells what became of messages that `mona_enqueue_json` accepted;
 * `queue.delivery_events` chooses which. More types may come; a host leaves those alone that it does not know. docs/events.md describes
 * them all.
 *
 * Several threads may poll at once: each event goes to one of them. An event is given in preference to ending a wait. The document
 * is there on every return, so a loop frees it each time:
 *
 *     do {
 *         status = mona_poll(client, -1, &tag, &event);
 *         if (status == MONA_OK) handle(tag, event);
 *         mona_string_free(event);
 *     } while (status != MONA_ERROR_CLOSED);
 *
 * @pre `client` is NULL or a client that was not freed; `out_tag` and `out_event_json` are NULL or writable.
 */
mona_status mona_poll(mona_client *client,
                      int64_t timeout_ms,
                      uint64_t *out_tag,
                      char **out_event_json);

/**
 * A descriptor for the host's event loop (epoll, kqueue, libuv, a reactor): readable exactly while events wait, or a
 * `mona_wake` that no poll has consumed yet.
 *
 * @param client  The client.
 * @return The descriptor, the same at each call; -1 where the system has none of the kind (Windows), none is left, or
 *     `client` is NULL. Then poll with a time-out.
 *
 * It is the end of a pair of sockets, non-blocking and close-on-exec, made by the first call. It belongs to the client, which closes it when it is
 * freed: the host watches it for reading, takes it out of its loop before `mona_client_free`, and never closes it. When it is
 * readable:
 *
 *     while ((status = mona_poll(client, 0, &tag, &event)) == MONA_OK) {
 *         handle(tag, event);
 *         mona_string_free(event);
 *     }
 *     mona_string_free(event);
 *
 * A loop that is told about changes only (EPOLLET, Go), or reads from the descriptor itself (Node), polls until `MONA_TIMEOUT` each
 * time, as above; any other may stop earlier. Closing the client does not make it readable: `mona_wake` does.
 * A forked child calls this again, for a descriptor of its own: its parent's is closed there.
 *
 * @pre `client` is NULL or a client that was not freed.
 */
int32_t mona_event_fd(mona_client *client);

/**
 * Ends one `mona_poll` that waits, or when none does, the wait of the next one: so it is never lost. Never waits.
 *
 * @param client  The client.
 * @return `MONA_OK`, `MONA_ERROR_INVALID_ARGUMENT`, `MONA_ERROR_INTERNAL`.
 *
 * The poll returns `MONA_TIMEOUT`, or an event if there is one; then the next poll without an event is ended instead.
 *
 * @pre `client` is NULL or a client that was not freed.
 */
mona_status mona_wake(mona_client *client);

/**
 * Has a function of the host take all clients' log records, instead of standard error.
 *
 * @param callback   Called for each record, from the thread whose call the record is about or from a thread of the
 *     library, several at once too. NULL: records go to standard error again, as `logging_level` has it, and
 *     the other arguments do not count.
 * @param user_data  Passed to `callback` and `destroy`. May be NULL.
 * @param destroy    May be NULL. Called exactly once with `user_data` after its last use: when another call of this
 *     function has replaced the callback and no call of it is running any more. So from inside this function, or
 *     from the thread on which the callback's last call just ended. Not called at the process's end.
 * @param max_level  The most detailed level that is wanted, as Python's number: records of this number and higher
 *     are passed on, so 10 means debug and all above, 40 errors only, 0 everything. The clients' `logging_level` does
 *     not count.
 * @return `MONA_OK`. `MONA_ERROR_INVALID_ARGUMENT`: `max_level` is negative, with a callback; nothing was changed then and
 *     `destroy` will not be called. `MONA_ERROR_INTERNAL`.
 *
 * Inside the callback and `destroy`, no lock of the library is held. They may call every function but `mona_client_free`.
 * `mona_flush`, `mona_client_close` and `mona_poll` do not wait there: what they would wait for could be this thread. A record
 * that the callback itself causes is dropped. Both must return: they must not throw, unwind or longjmp out.
 *
 * A forked child keeps the callback, with its copy of what `user_data` points to, and destroys it likewise. Hosts whose
 * runtime takes no calls from foreign threads can collect records from `mona_poll` instead: `log_events`.
 *
 * @pre `callback` and `destroy` may be called from any thread with `user_data` until `destroy` was called.
 */
mona_status mona_set_log_callback(mona_log_callback callback,
                                  void *user_data,
                                  void (*destroy)(void *user_data),
                                  int32_t max_level);

/**
 * Prepares the library for a fork, for hosts that can say when they fork. No host has to: forks are noticed.
 *
 * @return `MONA_OK`: no call waits for a request. `MONA_TIMEOUT`: some still do, after one second; the host may fork all the
 *     same. `MONA_ERROR_INTERNAL`.
 *
 * Waits for the requests of all clients that are under way, and lets none begin until `mona_after_fork_parent`. What it adds to
 * the automatic handling: no call is in the middle of a request and no thread of the library is in the system's resolver when the process is copied; a login that a call
 * waits for comes to its end, so that the child has the token; and where connections cannot be hidden from the child (before
 * Linux 5.9, or forbidden by a container) they are closed. What is enqueued stays in the queue. Calls that need a request wait in the meantime,
 * within their time-outs.
 *
 * Must be followed by `mona_after_fork_parent` in the parent, from any thread, whether the fork succeeded or not.
 */
mona_status mona_before_fork(void);

/**
 * Ends in the parent what `mona_before_fork` began: requests go on.
 *
 * @return `MONA_OK`, `MONA_ERROR_INTERNAL`. Without a `mona_before_fork` it does nothing.
 */
mona_status mona_after_fork_parent(void);

/**
 * Tells the library in a child that it is one. Needed only where the child was made in a way that runs no handlers of
 * `pthread_atfork`, as a raw system call does, and enqueues before it makes any other call; otherwise it does nothing.
 *
 * @return `MONA_OK`, `MONA_ERROR_INTERNAL`.
 */
mona_status mona_after_fork_child(void);

/**
 * The version of the loaded library as text.
 *
 * @return Such as `"0.1.0"`. The text is static: it must not be freed.
 */
const char *mona_version_string(void);

/**
 * The version of the loaded library as one number.
 *
 * @return Comparable with `MONA_VERSION_NUMBER`: major, minor and patch version in a byte each, from high to low.
 */
uint32_t mona_version_number(void);

/**
 * The version of the binary interface of the loaded library.
 *
 * @return A program works with a library for which this equals the `MONA_ABI_VERSION` it was compiled with.
 */
uint32_t mona_abi_version(void);

/**
 * Frees a document that this library returned through an `out_json`. NULL does nothing.
 *
 * Each document must be freed exactly once, unchanged, with this function and no other. Any thread may do it.
 *
 * @param string  The document, or NULL.
 *
 * @pre `string` is NULL or came from this library, is unchanged and was not freed yet.
 */
void mona_string_free(char *string);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MONA_H */

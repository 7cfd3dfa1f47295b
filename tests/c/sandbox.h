/* The sandbox beside this test, which scripts/with-sandbox started. */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <mona.h>
#include <pthread.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Adds fault rules (docs/sandbox.md). */
void sandbox_rules(const char *rules_json);

/* The sandbox forgets everything but the count of connections. */
void sandbox_reset(void);

/* The answer to GET /sandbox/requests, for the caller to free. */
char *sandbox_requests(void);

/* Forgets all fault rules; what they delay is answered at once. */
void sandbox_forget_rules(void);

/* One of the numbers of GET /sandbox/health, such as "requests" or "messages". */
long sandbox_count(const char *name);

/* Waits until that number is at least this. */
void sandbox_wait(const char *name, long at_least);

/* Longer than any test: an answer that only sandbox_forget_rules lets go. */
enum { SANDBOX_HELD_MS = 3600000 };

/* The next export is answered after so long. */
void sandbox_delay_next_export(int delay_ms);

/* An export of another thread that is surely under way: the sandbox has its request, and answers it after so long. */
pthread_t sandbox_export_under_way(mona_client *client, int delay_ms);

/* What came of that export. */
mona_status sandbox_export_ended(pthread_t thread);

#ifdef __cplusplus
}
#endif

#endif

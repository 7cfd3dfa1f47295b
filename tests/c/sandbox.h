/* The sandbox beside this test, which scripts/with-sandbox started. */
#ifndef SANDBOX_H
#define SANDBOX_H

#ifdef __cplusplus
extern "C" {
#endif

/* Adds fault rules (docs/sandbox.md). */
void sandbox_rules(const char *rules_json);

/* The sandbox forgets everything but the count of connections. */
void sandbox_reset(void);

/* The answer to GET /sandbox/requests, for the caller to free. */
char *sandbox_requests(void);

/* Forgets all fault rules. */
void sandbox_forget_rules(void);

/* One of the numbers of GET /sandbox/health, such as "requests" or "messages". */
long sandbox_count(const char *name);

/* Waits until that number is at least this. */
void sandbox_wait(const char *name, long at_least);

#ifdef __cplusplus
}
#endif

#endif

/* The sandbox beside this test, which scripts/with-sandbox started. */
#ifndef SANDBOX_H
#define SANDBOX_H

/* Adds fault rules (docs/sandbox.md). */
void sandbox_rules(const char *rules_json);

/* One of the numbers of GET /sandbox/health, such as "requests" or "messages". */
long sandbox_count(const char *name);

/* Waits until that number is at least this. */
void sandbox_wait(const char *name, long at_least);

#endif

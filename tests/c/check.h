/* What the tests need to state a promise: a check that fails says where, what, and the document it was about. */
#ifndef CHECK_H
#define CHECK_H

#include <mona.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The condition holds. */
#define CHECK(condition) \
    check_that((condition) != 0, __FILE__, __LINE__, #condition, NULL)

/* The call gives this status; its document stays in `document` until the next call. */
#define CHECK_CALL(wanted, call) \
    check_status((wanted), (call), __FILE__, __LINE__, #call)

/* The last document has this text in it. */
#define CHECK_DOCUMENT(text) \
    check_that(document != NULL && strstr(document, (text)) != NULL, __FILE__, __LINE__, \
               "the document has " #text, document)

/* Where tests let calls put their documents. One thread at a time. */
extern char *document;

/* A place for the next document; frees the last one. */
char **fresh(void);

void check_that(int holds, const char *file, int line, const char *what, const char *about);
void check_status(mona_status wanted, mona_status got, const char *file, int line,
                  const char *call);

/* Whether valgrind runs this test: then each byte costs 30 times as much, and threads have other signal masks. */
int under_valgrind(void);

/* A client of the sandbox, from the environment and these keys (NULL for none). */
mona_client *new_client(const char *config_json);

#ifdef __cplusplus
}
#endif

#endif

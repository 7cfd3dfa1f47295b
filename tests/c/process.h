/* This process as the system sees it. */
#ifndef PROCESS_H
#define PROCESS_H

#include <stddef.h>

/* How many entries a folder of /proc/self has, such as "task" or "fd". */
int process_entries(const char *folder);

/* Waits until there are no more threads than this, for as long as ctest lets it: the system still shows a thread for a
 * moment after it has ended. */
void process_wait_for_threads(int at_most);

/* Calls `visit` with the text of /proc/self/task/<id>/<file> of each thread but the main one. */
void process_threads(const char *file, void (*visit)(const char *text));

/* Milliseconds of a clock that nobody sets. */
double process_now_ms(void);

/* Memory that is resident, in bytes. */
size_t process_memory(void);

/* Whether that tells of leaks: valgrind keeps freed memory to find uses of it, and ThreadSanitizer what it knows of all memory. */
int process_memory_tells(void);

#endif

/* What LLVM's instrumentation calls and GCC's ThreadSanitizer has under other names; and a start that is over before the test. */
#include "../c/process.h"
#include <pthread.h>
#include <stddef.h>
#include <string.h>

static void *nothing(void *argument)
{
    return argument;
}

/* ThreadSanitizer starts a thread of its own with the first one: tests that count threads are to find it there already. */
__attribute__((constructor)) static void start_thread_sanitizer(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, nothing, NULL) == 0)
        pthread_join(thread, NULL);
    process_wait_for_threads(2);
}

void *__tsan_memcpy(void *to, const void *from, size_t size)
{
    return memcpy(to, from, size);
}

void *__tsan_memmove(void *to, const void *from, size_t size)
{
    return memmove(to, from, size);
}

void *__tsan_memset(void *to, int value, size_t size)
{
    return memset(to, value, size);
}

/* Making and freeing clients leaves threads, descriptors and memory as they were. */
#include "check.h"
#include "process.h"

#define MESSAGE "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}"

/* By how many bytes the heap may have grown by chance, a few times what it does. A leak is noticed from 27 bytes a cycle on where
 * clients are idle, which is any, and from 263 where they are busy. */
enum { SLACK = 1 << 19, IDLE = 20000, BUSY = 2000 };

static void idle_clients(int cycles)
{
    while (cycles-- > 0)
        mona_client_free(new_client("{\"authenticate_on_init\": false}"));
}

/* Each with a connection and the thread that serves it. */
static void busy_clients(int cycles)
{
    while (cycles-- > 0) {
        mona_client *client = new_client(NULL);
        CHECK_CALL(MONA_OK, mona_export_json(client, MESSAGE, -1, NULL, fresh()));
        mona_client_free(client);
    }
}

static void leave_nothing(void (*clients)(int), int cycles)
{
    int threads = process_entries("task");
    clients(cycles / 10);
    process_wait_for_threads(threads);
    int files = process_entries("fd");
    size_t memory = process_memory();
    clients(cycles);
    process_wait_for_threads(threads);
    CHECK(process_entries("fd") == files);
    CHECK(!process_memory_tells() || process_memory() < memory + SLACK);
}

int main(void)
{
    leave_nothing(idle_clients, under_valgrind() ? 200 : IDLE);
    leave_nothing(busy_clients, under_valgrind() ? 20 : BUSY);
    fresh();
    return 0;
}

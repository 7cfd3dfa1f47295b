#include "tally.h"
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static void *shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static bool bits_new(struct bits *bits, size_t room)
{
    bits->room = room;
    bits->bytes = shared(room / 8 + 1);
    return bits->bytes != NULL;
}

struct tally *tally_new(size_t messages, size_t children)
{
    struct tally *tally = shared(sizeof *tally);
    if (tally == NULL)
        return NULL;
    for (int n = 0; n < PRODUCERS; n++) {
        struct producer *producer = &tally->producer[n];
        if (!bits_new(&producer->arrived, messages) || !bits_new(&producer->unanswered, messages)
            || !bits_new(&producer->reported, messages))
            return NULL;
    }
    tally->children = children;
    tally->child = shared(children * sizeof *tally->child);
    return tally->child == NULL ? NULL : tally;
}

bool bits_set(struct bits *bits, long n)
{
    if (n < 0 || (size_t)n >= bits->room)
        return true;
    unsigned char bit = (unsigned char)(1 << (n % 8));
    return (atomic_fetch_or(&bits->bytes[n / 8], bit) & bit) != 0;
}

bool bits_get(const struct bits *bits, long n)
{
    return n >= 0 && (size_t)n < bits->room && (bits->bytes[n / 8] >> (n % 8) & 1) != 0;
}

int message_write(char *text, size_t size, int producer, long number, bool is_wire)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz";
    return snprintf(text, size,
                    "{\"contextId\":\"%d-%ld\",\"message\":{\"number\":%ld,\"text\":\"%.*s\"},\"%s\":\"SOAK\"%s", producer, number,
                    number, (int)(number % (long)(sizeof letters - 1)), letters, is_wire ? "arcClass" : "contextClass",
                    is_wire ? "" : "}");
}

bool message_is_refused(int producer, long number)
{
    return producer < PRODUCERS && number % REFUSED_OF == REFUSED_REMAINDER;
}

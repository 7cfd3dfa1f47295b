/* What the soak's two processes know of each message, in memory that they share: the program with the clients writes what was
 * accepted and reported, the server what arrived. */
#ifndef TALLY_H
#define TALLY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PRODUCERS = 8,
    /* A child's messages fit into one word. */
    CHILD_MESSAGES = 10,
    /* Of a producer's messages, the server refuses one in so many. */
    REFUSED_OF = 997,
    REFUSED_REMAINDER = 5
};

/* One bit for each message of a producer. */
struct bits {
    size_t room;
    atomic_uchar *bytes;
};

struct producer {
    atomic_long accepted;
    struct bits arrived;    /* written by the server */
    struct bits unanswered; /* of those: taken in by a request that the server did not answer */
    struct bits reported;   /* written by the program: told to be rejected */
};

struct child {
    atomic_int way;
    atomic_long accepted;
    atomic_long undelivered; /* as its close reported */
    atomic_ullong arrived;
};

struct tally {
    atomic_int port;
    atomic_int healthy;
    size_t children;
    struct child *child;
    struct producer producer[PRODUCERS];
    atomic_long requests, logins, refreshes, taken, refused, faults, outages;
    /* Messages again: after a request that was not answered, of a child that was ended, and for no good reason. */
    atomic_long repeated, repeated_of_children, repeated_wrongly;
    /* Messages that nobody can have sent, or not with these bytes. */
    atomic_long corrupt;
};

/* Of so many producers' messages and children; NULL where there is not enough memory. */
struct tally *tally_new(size_t messages, size_t children);

/* Sets the bit; whether it was set before, or is beyond what there is room for. */
bool bits_set(struct bits *bits, long n);
bool bits_get(const struct bits *bits, long n);

/* Writes the message with this number, as text that `mona_enqueue_json` takes (`is_wire` false) or as its beginning
 * travels; returns its length. Producers from PRODUCERS on are children. */
int message_write(char *text, size_t size, int producer, long number, bool is_wire);

bool message_is_refused(int producer, long number);

#endif

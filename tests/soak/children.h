/* A fork every second, whose child does with an inherited client what programs do. */
#ifndef CHILDREN_H
#define CHILDREN_H

#include "tally.h"
#include <mona.h>

/* Forks every second, from a thread of its own. The first half of the four clients has no spool, the other has. */
void children_start(struct tally *tally, mona_client *const *clients, int seconds);
void children_stop(void);

long children_ended(void);

/* How many seconds it took the slowest from its fork to its end. */
double children_longest(void);

/* Whether what a child accepted that ended like this arrives in any case. */
bool child_is_durable(int way);

/* Prints how it went; how many things are wrong. */
int children_judge(void);

/* A number in a document of the library. */
long member(const char *document, const char *name);

/* No message was lost without being counted, by this document of mona_stats_json. */
void check_conserved(const char *statistics);

#endif

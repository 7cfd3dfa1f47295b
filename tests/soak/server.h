/* A server that takes messages in, and often fails. */
#ifndef SERVER_H
#define SERVER_H

#include "tally.h"

/* Serves on a free loopback port until it is killed. `tally->port` tells the port; while `tally->healthy`, nothing fails. */
_Noreturn void serve(struct tally *tally, unsigned seed);

#endif

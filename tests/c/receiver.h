/* A server within the test that takes numbered messages in, and knows at once which. */
#ifndef RECEIVER_H
#define RECEIVER_H

enum { RECEIVER_MESSAGES = 256 };

/* Starts it; its port. */
int receiver_start(void);

/* Whether it answers that it is overloaded. */
void receiver_refuse(int does);

/* Writes the message with this number for `mona_enqueue_json`; returns its length. */
int receiver_message(char *text, int number);

/* Forgets what arrived. */
void receiver_reset(void);

/* How many messages arrived, how often this one did, and which came as the n-th. */
int receiver_count(void);
int receiver_times(int number);
int receiver_nth(int n);

#endif

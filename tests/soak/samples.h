/* What the program costs its machine, looked at again and again. */
#ifndef SAMPLES_H
#define SAMPLES_H

enum { SAMPLES = 4096 };

struct sample {
    double seconds;
    double memory; /* resident, in bytes */
    int descriptors;
    int threads;
};

struct samples {
    int count;
    struct sample sample[SAMPLES];
};

/* Adds one, this long after the start. */
const struct sample *samples_add(struct samples *samples, double seconds);

/* Prints what there was in the first half and in the second, and whether it is flat; 0 when it is not. */
int samples_are_flat(const struct samples *samples);

#endif

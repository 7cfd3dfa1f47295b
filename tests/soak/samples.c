#include "samples.h"
#include "../c/process.h"
#include <math.h>
#include <stdio.h>

#define MIB (1024.0 * 1024.0)

enum {
    /* MiB an hour that memory may grow by, as far as the noise lets see it. */
    GROWTH = 1,
    /* Before that, the slope is that of a program that warms up: only a gross leak shows. */
    WARM_SECONDS = 1800,
    WARMING_MIB = 16,
    /* A segment of a spool and what acknowledges it, for each of two clients, are opened and closed all the time. */
    DESCRIPTORS = 8
};

struct extent {
    double memory_least, memory_most;
    int descriptors_most, threads_most;
};

const struct sample *samples_add(struct samples *samples, double seconds)
{
    struct sample *sample = &samples->sample[samples->count < SAMPLES ? samples->count++ : SAMPLES - 1];
    sample->seconds = seconds;
    sample->memory = (double)process_memory();
    sample->descriptors = process_entries("fd");
    sample->threads = process_entries("task");
    return sample;
}

static struct extent extent_of(const struct sample *sample, int count)
{
    struct extent extent = {.memory_least = sample->memory};
    for (int n = 0; n < count; n++, sample++) {
        extent.memory_least = fmin(extent.memory_least, sample->memory);
        extent.memory_most = fmax(extent.memory_most, sample->memory);
        extent.descriptors_most = sample->descriptors > extent.descriptors_most ? sample->descriptors : extent.descriptors_most;
        extent.threads_most = sample->threads > extent.threads_most ? sample->threads : extent.threads_most;
    }
    return extent;
}

/* The line through the memory by least squares, in MiB an hour, and its standard error. */
static double slope_of(const struct sample *sample, int count, double *error)
{
    double x = 0, y = 0, xx = 0, xy = 0, rest = 0;
    for (int n = 0; n < count; n++) {
        x += sample[n].seconds / 3600 / count;
        y += sample[n].memory / MIB / count;
    }
    for (int n = 0; n < count; n++) {
        double from_x = sample[n].seconds / 3600 - x;
        xx += from_x * from_x;
        xy += from_x * (sample[n].memory / MIB - y);
    }
    double slope = xy / xx;
    for (int n = 0; n < count; n++) {
        double away = sample[n].memory / MIB - y - slope * (sample[n].seconds / 3600 - x);
        rest += away * away;
    }
    *error = sqrt(rest / (count - 2) / xx);
    return slope;
}

int samples_are_flat(const struct samples *samples)
{
    int half = samples->count / 2, count = samples->count - half;
    if (count < 3) {
        printf("not flat: %d samples tell nothing\n", samples->count);
        return 0;
    }
    const struct sample *second = samples->sample + half;
    struct extent before = extent_of(samples->sample, half), after = extent_of(second, count);
    double error, slope = slope_of(second, count, &error);
    printf("first half:  memory %.2f to %.2f MiB, at most %d descriptors, %d threads\n", before.memory_least / MIB,
           before.memory_most / MIB, before.descriptors_most, before.threads_most);
    printf("second half: memory %.2f to %.2f MiB, at most %d descriptors, %d threads; %.3f MiB/h, standard error %.3f\n",
           after.memory_least / MIB, after.memory_most / MIB, after.descriptors_most, after.threads_most, slope, error);
    int warm = second[count - 1].seconds >= WARM_SECONDS;
    int flat = warm ? slope - 2 * error < GROWTH : after.memory_most - before.memory_most < WARMING_MIB * MIB;
    return flat && after.descriptors_most <= before.descriptors_most + DESCRIPTORS && after.threads_most <= before.threads_most;
}

/* All that this process does to the files of one folder, and that folder as a loss of power can leave it: what was not flushed by
 * then may be there, or not, or in part. The functions of the C library for it are replaced, for the library under test too. */
#ifndef DISK_RECORD_H
#define DISK_RECORD_H

#include <stdint.h>

/* What becomes of a change that was not flushed. */
enum fate {
    KEPT,
    LOST,
    ZEROED,      /* the file is as long as it would be, and what was not there before is zeros */
    FIRST_HALF,  /* the half of the bytes is there, and the other is zeros */
    SECOND_HALF,
    ANY          /* by chance, for each change */
};

/* Records from now on what happens in `folder`, which is empty. `moment` is called for each change, under a lock. */
void record_start(const char *folder, void (*moment)(int change));
void record_stop(void);

/* How many changes there were. */
int record_count(void);

/* Makes `folder`, which is empty, as it can be after the first changes when names (of files and folders that were made or
 * removed) and data that were not flushed have these fates. Returns a number that tells the result from others. */
uint64_t record_rebuild(const char *folder, int changes, enum fate names, enum fate data, unsigned chance);

/* The bytes of this change, where it is one that writes bytes which a flush that ended before the change `end` covers; else NULL. */
const char *record_flushed(int change, int end, int *length);

#endif

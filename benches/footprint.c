/* What loading libmona takes, before anything of it is used: one line of JSON.
 *
 *     footprint LIBRARY
 *
 * Private memory is what only this process has of it: copies of the file's pages, which relocation or initialisation wrote to. */
#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int threads(void)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *task; tasks != NULL && (task = readdir(tasks)) != NULL;)
        count += task->d_name[0] != '.';
    closedir(tasks);
    return count;
}

/* Kilobytes of all mappings of a file, and of those the private ones. */
static void resident(const char *path, long *all, long *private)
{
    char line[4096];
    int ours = 0;
    long value;
    FILE *maps = fopen("/proc/self/smaps", "r");
    *all = *private = 0;
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        if (strchr(line, '-') != NULL && strchr(line, ':') != NULL && strstr(line, "kB") == NULL)
            ours = strstr(line, path) != NULL;
        else if (ours && sscanf(line, "Rss: %ld", &value) == 1)
            *all += value;
        else if (ours && sscanf(line, "Anonymous: %ld", &value) == 1)
            *private += value;
    }
    fclose(maps);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: footprint LIBRARY\n");
        return 2;
    }
    int before = threads();
    double start = milliseconds();
    if (dlopen(argv[1], RTLD_NOW) == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    double took = milliseconds() - start;
    long all, private;
    resident(argv[1], &all, &private);
    printf("{\"dlopen_ms\": %.3f, \"threads\": %d, \"resident_kib\": %ld, \"private_kib\": %ld}\n", took,
           threads() - before, all, private);
    return 0;
}

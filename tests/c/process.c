#include "process.h"
#include "check.h"
#include <dirent.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

int process_entries(const char *folder)
{
    char path[64];
    int entries = 0;
    snprintf(path, sizeof path, "/proc/self/%s", folder);
    DIR *dir = opendir(path);
    CHECK(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        entries += entry->d_name[0] != '.';
    closedir(dir);
    return entries;
}

void process_wait_for_threads(int at_most)
{
    while (process_entries("task") > at_most)
        sched_yield();
}

static void read_file(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
}

void process_threads(const char *file, void (*visit)(const char *text))
{
    DIR *dir = opendir("/proc/self/task");
    CHECK(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[512], text[4096];
        if (entry->d_name[0] == '.' || atol(entry->d_name) == (long)getpid())
            continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/%s", entry->d_name, file);
        read_file(path, text, sizeof text);
        visit(text);
    }
    closedir(dir);
}

double process_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

size_t process_memory(void)
{
    char text[256];
    long total, resident;
    read_file("/proc/self/statm", text, sizeof text);
    CHECK(sscanf(text, "%ld %ld", &total, &resident) == 2);
    return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE);
}

int process_memory_tells(void)
{
#ifdef __SANITIZE_THREAD__
    return 0;
#else
    return !under_valgrind();
#endif
}

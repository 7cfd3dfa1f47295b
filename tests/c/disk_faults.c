/* A disk that fails: whichever access to the spool it is, and however it fails, a call says so, nothing that was accepted is
 * lost, and the next call works again. A full disk can be drained to the end.
 *
 * The functions below take the place of the C library's, for the library under test too. */
#define _GNU_SOURCE
#include "check.h"
#include "sandbox.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SHORT_WRITE = -1, MESSAGES = 4 };

/* After so many accesses more one fails; negative: none does. */
static atomic_long countdown = -1;
static atomic_int failure;
static atomic_int failed;
/* Bytes that files may still grow by; negative: any number. */
static atomic_long room = -1;

static int fails_now(void)
{
    if (atomic_load(&countdown) < 0 || atomic_fetch_sub(&countdown, 1) != 0)
        return 0;
    atomic_fetch_add(&failed, 1);
    return 1;
}

static int refused(void)
{
    if (!fails_now() || failure == SHORT_WRITE)
        return 0;
    errno = failure;
    return 1;
}

/* Takes what a file grows by from the room. */
static int has_room(int fd, off_t end)
{
    struct stat file;
    if (room < 0 || fstat(fd, &file) != 0 || end <= file.st_size)
        return 1;
    if (end - file.st_size > room)
        return 0;
    room -= end - file.st_size;
    return 1;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at)
{
    if (fails_now()) {
        if (failure == SHORT_WRITE && length > 1)
            return syscall(SYS_pwrite64, fd, bytes, length / 2, at);
        /* Half of it is written before the disk gives up. */
        syscall(SYS_pwrite64, fd, bytes, length / 2, at);
        errno = failure == SHORT_WRITE ? EINTR : failure;
        return -1;
    }
    if (!has_room(fd, at + (off_t)length)) {
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_pwrite64, fd, bytes, length, at);
}

ssize_t pread64(int fd, void *bytes, size_t length, off64_t at)
{
    return failure == EIO && refused() ? -1 : syscall(SYS_pread64, fd, bytes, length, at);
}

int posix_fallocate(int fd, off_t offset, off_t length)
{
    if (fails_now() && failure != SHORT_WRITE)
        return failure;
    if (!has_room(fd, offset + length))
        return ENOSPC;
    return syscall(SYS_fallocate, fd, 0, offset, length) == 0 ? 0 : errno;
}

int fdatasync(int fd)
{
    return refused() ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    return refused() ? -1 : (int)syscall(SYS_fsync, fd);
}

int ftruncate64(int fd, off64_t length)
{
    return refused() ? -1 : (int)syscall(SYS_ftruncate, fd, length);
}

int openat(int folder, const char *name, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
    va_end(more);
    return refused() ? -1 : (int)syscall(SYS_openat, folder, name, flags, mode);
}

int mkdirat(int folder, const char *name, mode_t mode)
{
    return refused() ? -1 : (int)syscall(SYS_mkdirat, folder, name, mode);
}

int unlinkat(int folder, const char *name, int flags)
{
    return refused() ? -1 : (int)syscall(SYS_unlinkat, folder, name, flags);
}

int flock(int fd, int operation)
{
    return refused() ? -1 : (int)syscall(SYS_flock, fd, operation);
}

int fstatvfs(int fd, struct statvfs *found)
{
    struct statfs all;
    if (refused() || syscall(SYS_fstatfs, fd, &all) != 0)
        return -1;
    memset(found, 0, sizeof *found);
    found->f_bsize = found->f_frsize = (unsigned long)all.f_bsize;
    found->f_blocks = all.f_blocks;
    found->f_bfree = all.f_bfree;
    found->f_bavail = all.f_bavail;
    return 0;
}

static void remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    CHECK(folder != NULL);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char inside[1024];
        snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (entry->d_type == DT_DIR)
            remove_folder(inside);
        else
            unlink(inside);
    }
    closedir(folder);
    rmdir(path);
}

/* How many entries the folders have that are so many levels below this one. */
static int entries(const char *path, int levels)
{
    int found = 0;
    DIR *folder = opendir(path);
    CHECK(folder != NULL);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char inside[1024];
        snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            found += levels > 0 ? entries(inside, levels - 1) : 1;
    }
    closedir(folder);
    return found;
}

/* A client whose spool is in a new folder; NULL if the disk did not let it be. */
static mona_client *client_on_disk(char folder[64], const char *keys)
{
    char config[512];
    mona_client *client = NULL;
    strcpy(folder, "/tmp/mona-disk-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    snprintf(config, sizeof config,
             "{\"auth_mode\": \"NO_AUTH\", \"user_id\": \"u\","
             " \"queue\": {\"spool_dir\": \"%s\", \"spool_keep_free_bytes\": 0, %s}}",
             folder, keys);
    mona_status status = mona_client_new(config, &client, fresh());
    CHECK(client != NULL || status == MONA_ERROR_INITIALIZATION);
    return client;
}

/* Whether a message was accepted. If not, the disk was the reason, and the document says so. */
static int enqueue(mona_client *client, const char *filler)
{
    static long number;
    char message[4096];
    snprintf(message, sizeof message,
             "{\"message\": {\"a\": \"%s\"}, \"contextClass\": \"C\", \"contextId\": \"%ld\"}", filler, number++);
    mona_status status = mona_enqueue_json(client, message, -1, NULL, fresh());
    if (status == MONA_OK)
        return 1;
    CHECK(status == MONA_ERROR_QUEUE_FULL);
    CHECK_DOCUMENT("\"retriable\":true");
    check_that(strstr(document, "\"error_kind\":\"storage\"") != NULL ||
                   strstr(document, "\"error_kind\":\"queue_full\"") != NULL,
               __FILE__, __LINE__, "the document names the disk", document);
    return 0;
}

static void delivers_exactly(mona_client *client, long before, long accepted)
{
    char expected[64];
    CHECK_CALL(MONA_OK, mona_flush(client, 60000, fresh()));
    CHECK_CALL(MONA_OK, mona_stats_json(client, fresh()));
    snprintf(expected, sizeof expected, "\"delivered\":%ld,", accepted);
    check_that(strstr(document, expected) != NULL, __FILE__, __LINE__, expected, document);
    CHECK(sandbox_count("messages") == before + accepted);
}

/* One access fails in this way; whether there was such an access. */
static int survives(long access, int how, const char *sync)
{
    char folder[64], keys[128];
    long before = sandbox_count("messages"), accepted = 0;
    snprintf(keys, sizeof keys, "\"spool_sync\": \"%s\", \"linger_ms\": 0, \"batch_messages\": 2", sync);
    failure = how;
    failed = 0;
    countdown = access;
    mona_client *client = client_on_disk(folder, keys);
    if (client != NULL) {
        for (int n = 0; n < MESSAGES; n++)
            accepted += enqueue(client, "x");
        CHECK(accepted >= MESSAGES - 1);
        CHECK_CALL(MONA_OK, mona_flush(client, 60000, fresh()));
        int had = failed;
        countdown = -1;
        CHECK(enqueue(client, "y"));
        delivers_exactly(client, before, accepted + 1);
        mona_client_free(client);
        failed = had;
    }
    countdown = -1;
    /* Nobody will adopt anything there. */
    CHECK(client != NULL || entries(folder, 1) == 0);
    remove_folder(folder);
    return failed;
}

static void any_access_may_fail(const char *sync)
{
    const int ways[] = {EIO, ENOSPC, EDQUOT, SHORT_WRITE};
    for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
        long access = 0;
        while (survives(access, ways[way], sync))
            access++;
        CHECK(access > 10);
        printf("%s: %ld accesses failed with %d\n", sync, access, ways[way]);
    }
}

static void a_full_disk_is_drained(void)
{
    char folder[64], filler[1001];
    long before = sandbox_count("messages"), accepted = 0;
    memset(filler, 'x', sizeof filler - 1);
    filler[sizeof filler - 1] = '\0';
    mona_client *client = client_on_disk(folder, "\"linger_ms\": 60000, \"spool_max_bytes\": 1000000");
    CHECK(client != NULL);
    room = 300000;
    while (enqueue(client, filler))
        accepted++;
    CHECK(accepted > 100);
    CHECK_DOCUMENT("\"error_kind\":\"queue_full\"");
    room = 0;
    CHECK(!enqueue(client, filler));
    delivers_exactly(client, before, accepted);
    room = -1;
    CHECK(enqueue(client, filler));
    delivers_exactly(client, before, accepted + 1);
    mona_client_free(client);
    remove_folder(folder);
}

int main(void)
{
    any_access_may_fail("interval");
    any_access_may_fail("always");
    a_full_disk_is_drained();
    fresh();
    return 0;
}

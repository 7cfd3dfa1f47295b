#define _GNU_SOURCE
#include "disk_record.h"
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CHANGES = 8192, NODES = 1024, DESCRIPTORS = 4096, NAME = 64, SECTOR = 512, NONE = -1, ROOT = 0 };

enum kind { WRITE, LENGTH, ADD, REMOVE, FLUSH, FLUSHED };

struct change {
    enum kind kind;
    int node;          /* the file, or the folder whose names change */
    int other;         /* ADD: what the name is for. FLUSHED: the change at which the flush began */
    char name[NAME];   /* ADD, REMOVE */
    char *bytes;       /* WRITE */
    long offset, size; /* WRITE; LENGTH has a size */
};

struct node {
    int is_folder;
    char *bytes;
    long size;
};

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static int recording;
static char root[256];
static void (*at_moment)(int change);
static struct change changes[CHANGES];
static int count, nodes;
static int is_folder[NODES];
static int node_of[DESCRIPTORS];

static struct change *add(enum kind kind, int node)
{
    CHECK(count < CHANGES);
    struct change *change = &changes[count];
    *change = (struct change){.kind = kind, .node = node};
    at_moment(count++);
    return change;
}

/* Whether this change is the one that gives or takes the folder's name. */
static int is_of_name(const struct change *change, int folder, const char *name)
{
    return (change->kind == ADD || change->kind == REMOVE) && change->node == folder && strcmp(change->name, name) == 0;
}

static int look_up(int folder, const char *name)
{
    if (strcmp(name, ".") == 0)
        return folder;
    for (int n = count - 1; n >= 0; n--)
        if (is_of_name(&changes[n], folder, name))
            return changes[n].kind == ADD ? changes[n].other : NONE;
    return NONE;
}

/* The folder that a path below the root is in, and its last name; NONE if the path is not below it. */
static int parent_of(const char *path, char *name)
{
    size_t length = strlen(root);
    int folder = ROOT;
    if (strncmp(path, root, length) != 0 || path[length] != '/')
        return NONE;
    for (path += length + 1;; path += strcspn(path, "/") + 1) {
        snprintf(name, NAME, "%.*s", (int)strcspn(path, "/"), path);
        if (path[strcspn(path, "/")] == '\0')
            return folder;
        folder = look_up(folder, name);
        if (folder == NONE)
            return NONE;
    }
}

static int make(int folder, const char *name, int as_folder)
{
    CHECK(nodes < NODES && strlen(name) < NAME);
    is_folder[nodes] = as_folder;
    struct change *change = add(ADD, folder);
    change->other = nodes++;
    strcpy(change->name, name);
    return change->other;
}

static void opened(int descriptor, int folder, const char *name, int flags)
{
    int node = look_up(folder, name);
    if (node == NONE && (flags & O_CREAT) != 0)
        node = make(folder, name, 0);
    CHECK(descriptor < DESCRIPTORS && node != NONE);
    node_of[descriptor] = node;
}

static int known(int descriptor)
{
    return recording && descriptor >= 0 && descriptor < DESCRIPTORS ? node_of[descriptor] : NONE;
}

int openat(int folder, const char *name, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
    va_end(more);
    pthread_mutex_lock(&gate);
    int descriptor = (int)syscall(SYS_openat, folder, name, flags, mode);
    if (descriptor >= 0 && known(folder) != NONE)
        opened(descriptor, known(folder), name, flags);
    pthread_mutex_unlock(&gate);
    return descriptor;
}

int open64(const char *path, int flags, ...)
{
    va_list more;
    char name[NAME];
    va_start(more, flags);
    mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
    va_end(more);
    pthread_mutex_lock(&gate);
    int descriptor = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (recording && descriptor >= 0 && strcmp(path, root) == 0) {
        CHECK(descriptor < DESCRIPTORS);
        node_of[descriptor] = ROOT;
    } else if (recording && descriptor >= 0) {
        int folder = parent_of(path, name);
        if (folder != NONE)
            opened(descriptor, folder, name, flags);
    }
    pthread_mutex_unlock(&gate);
    return descriptor;
}

int mkdirat(int folder, const char *name, mode_t mode)
{
    pthread_mutex_lock(&gate);
    int done = (int)syscall(SYS_mkdirat, folder, name, mode);
    if (done == 0 && known(folder) != NONE)
        make(known(folder), name, 1);
    pthread_mutex_unlock(&gate);
    return done;
}

int mkdir(const char *path, mode_t mode)
{
    char name[NAME];
    pthread_mutex_lock(&gate);
    int done = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    int folder = done == 0 && recording ? parent_of(path, name) : NONE;
    if (folder != NONE)
        make(folder, name, 1);
    pthread_mutex_unlock(&gate);
    return done;
}

int unlinkat(int folder, const char *name, int flags)
{
    pthread_mutex_lock(&gate);
    int done = (int)syscall(SYS_unlinkat, folder, name, flags);
    if (done == 0 && known(folder) != NONE)
        strcpy(add(REMOVE, known(folder))->name, name);
    pthread_mutex_unlock(&gate);
    return done;
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
{
    pthread_mutex_lock(&gate);
    ssize_t done = syscall(SYS_pwrite64, fd, bytes, size, offset);
    if (done > 0 && known(fd) != NONE) {
        struct change *change = add(WRITE, known(fd));
        change->bytes = malloc((size_t)done);
        CHECK(change->bytes != NULL);
        memcpy(change->bytes, bytes, (size_t)done);
        change->size = done;
        change->offset = offset;
    }
    pthread_mutex_unlock(&gate);
    return done;
}

static void resized(int fd, long size)
{
    if (known(fd) != NONE)
        add(LENGTH, known(fd))->size = size;
}

int ftruncate64(int fd, off64_t length)
{
    pthread_mutex_lock(&gate);
    int done = (int)syscall(SYS_ftruncate, fd, length);
    if (done == 0)
        resized(fd, length);
    pthread_mutex_unlock(&gate);
    return done;
}

int posix_fallocate(int fd, off_t offset, off_t length)
{
    pthread_mutex_lock(&gate);
    int done = syscall(SYS_fallocate, fd, 0, offset, length) == 0 ? 0 : errno;
    if (done == 0)
        resized(fd, offset + length);
    pthread_mutex_unlock(&gate);
    return done;
}

/* Covers what was written before it began, once it has ended. Nothing else has to wait for a disk here. */
static int flush(int fd)
{
    pthread_mutex_lock(&gate);
    int node = known(fd), begun = count;
    if (node != NONE)
        add(FLUSH, node);
    pthread_mutex_unlock(&gate);
    sched_yield();
    pthread_mutex_lock(&gate);
    if (node != NONE && recording)
        add(FLUSHED, node)->other = begun;
    pthread_mutex_unlock(&gate);
    return 0;
}

int fdatasync(int fd)
{
    return flush(fd);
}

int fsync(int fd)
{
    return flush(fd);
}

void record_start(const char *folder, void (*moment)(int change))
{
    pthread_mutex_lock(&gate);
    for (int n = 0; n < count; n++)
        free(changes[n].bytes);
    for (int n = 0; n < DESCRIPTORS; n++)
        node_of[n] = NONE;
    snprintf(root, sizeof root, "%s", folder);
    at_moment = moment;
    is_folder[ROOT] = 1;
    nodes = 1;
    count = 0;
    recording = 1;
    pthread_mutex_unlock(&gate);
}

void record_stop(void)
{
    pthread_mutex_lock(&gate);
    recording = 0;
    pthread_mutex_unlock(&gate);
}

int record_count(void)
{
    pthread_mutex_lock(&gate);
    int now = count;
    pthread_mutex_unlock(&gate);
    return now;
}

const char *record_flushed(int change, int end, int *length)
{
    if (changes[change].kind != WRITE)
        return NULL;
    for (int n = change + 1; n < end; n++)
        if (changes[n].kind == FLUSHED && changes[n].node == changes[change].node && changes[n].other > change) {
            *length = (int)changes[change].size;
            return changes[change].bytes;
        }
    return NULL;
}

/* What the folder consists of after a loss of power. */
static struct node after[NODES];
static uint64_t sum;

static void take_note(const void *bytes, size_t size)
{
    for (size_t n = 0; n < size; n++)
        sum = (sum ^ ((const unsigned char *)bytes)[n]) * 1099511628211u;
}

static void resize(struct node *node, long size)
{
    if (size > node->size) {
        CHECK((node->bytes = realloc(node->bytes, (size_t)size)) != NULL);
        memset(node->bytes + node->size, 0, (size_t)(size - node->size));
    }
    node->size = size;
}

static void write_into(struct node *node, const struct change *change, enum fate fate)
{
    long end = change->offset + change->size, middle = (change->offset + end) / 2 / SECTOR * SECTOR;
    long from = fate == SECOND_HALF ? middle : change->offset, to = fate == FIRST_HALF ? middle : fate == ZEROED ? from : end;
    if (end > node->size)
        resize(node, end);
    from = from < change->offset ? change->offset : from;
    if (to > from)
        memcpy(node->bytes + from, change->bytes + (from - change->offset), (size_t)(to - from));
}

static enum fate draw(enum fate fate, unsigned *chance, int fates)
{
    if (fate != ANY)
        return fate;
    *chance = *chance * 1664525u + 1013904223u;
    return (enum fate)((*chance >> 16) % (unsigned)fates);
}

/* Puts the files and folders with names in this one under a path. */
static void lay_out(int folder, const char *path, int end, const char *is_there)
{
    for (int n = 0; n < end; n++) {
        if (!is_there[n] || changes[n].node != folder)
            continue;
        char inside[512];
        snprintf(inside, sizeof inside, "%s/%s", path, changes[n].name);
        const struct node *node = &after[changes[n].other];
        take_note(inside, strlen(inside));
        take_note(node->bytes, (size_t)node->size);
        if (is_folder[changes[n].other]) {
            CHECK(syscall(SYS_mkdirat, AT_FDCWD, inside, 0700) == 0);
            lay_out(changes[n].other, inside, end, is_there);
            continue;
        }
        int file = (int)syscall(SYS_openat, AT_FDCWD, inside, O_WRONLY | O_CREAT | O_EXCL, 0600);
        CHECK(file >= 0 && write(file, node->bytes, (size_t)node->size) == node->size);
        close(file);
    }
}

uint64_t record_rebuild(const char *folder, int end, enum fate names, enum fate data, unsigned chance)
{
    static int flushed_until[NODES];
    static char is_there[CHANGES];
    sum = 14695981039346656037u;
    memset(flushed_until, 0, sizeof flushed_until);
    memset(is_there, 0, sizeof is_there);
    for (int n = 0; n < end; n++)
        if (changes[n].kind == FLUSHED)
            flushed_until[changes[n].node] = changes[n].other;
    for (int n = 0; n < end; n++) {
        const struct change *change = &changes[n];
        int is_flushed = n < flushed_until[change->node];
        enum fate fate = KEPT;
        if (change->kind == ADD || change->kind == REMOVE) {
            if (!is_flushed && draw(names, &chance, 2) == LOST)
                continue;
            for (int earlier = 0; earlier < n; earlier++)
                is_there[earlier] &= !is_of_name(&changes[earlier], change->node, change->name);
            is_there[n] = change->kind == ADD;
            continue;
        }
        if (change->kind != WRITE && change->kind != LENGTH)
            continue;
        if (!is_flushed && (fate = draw(data, &chance, ANY)) == LOST)
            continue;
        if (change->kind == WRITE)
            write_into(&after[change->node], change, fate);
        else
            resize(&after[change->node], change->size);
    }
    lay_out(ROOT, folder, end, is_there);
    for (int n = 0; n < NODES; n++) {
        free(after[n].bytes);
        after[n] = (struct node){0};
    }
    return sum;
}

/* Connections are no business of the host's descriptors: it sees none of theirs, may close all it finds, and where the
 * system cannot hide them everything works all the same. Linux 5.9 and newer can. */
#define _DEFAULT_SOURCE
#include "check.h"
#include "process.h"
#include "sandbox.h"
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE "{\"message\": {\"a\": 1}, \"contextClass\": \"C\"}"

enum { FIRST = 3, MANY = 1024 };

static void export_one(mona_client *client)
{
    CHECK_CALL(MONA_OK, mona_export_json(client, MESSAGE, -1, NULL, fresh()));
}

static int can_hide(void)
{
    return syscall(SYS_close_range, 1000000U, 1000000U, 0) == 0;
}

static void connections_are_hidden_and_survive_a_host_that_closes_everything(void)
{
    int before = process_entries("fd");
    mona_client *client = new_client(NULL);
    export_one(client);
    CHECK(process_entries("fd") == before);
    long connections = sandbox_count("connections");
    for (int fd = FIRST; fd < MANY; fd++)
        close(fd);
    export_one(client);
    CHECK(sandbox_count("connections") == connections + 1); /* the one that asks */
    mona_client_free(client);
}

/* As the kernel of old, or a container's filter. */
static void refuse_to_hide(void)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = sizeof steps / sizeof *steps, .filter = steps};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0);
    CHECK(!can_hide());
}

static void without_hiding_all_works(void)
{
    refuse_to_hide();
    mona_client *client = new_client(NULL);
    export_one(client);
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        export_one(client);
        mona_client_free(client);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    export_one(client);
    mona_client_free(client);
}

/* Where they cannot be hidden, a host that closes them has some call fail, and the next ones work. */
static void connections_that_a_host_closed_are_made_anew(void)
{
    mona_client *client = new_client(NULL);
    export_one(client);
    for (int fd = FIRST; fd < MANY; fd++)
        close(fd);
    int failed = 0;
    while (mona_export_json(client, MESSAGE, -1, NULL, NULL) != MONA_OK)
        CHECK(++failed < 5);
    mona_client_free(client);
}

/* A fork by the system call alone, which tells no library. */
static void an_unannounced_fork_is_noticed(void)
{
    mona_client *client = new_client(NULL);
    export_one(client);
    int status;
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        export_one(client);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    export_one(client);
    mona_client_free(client);
}

int main(void)
{
    if (can_hide())
        connections_are_hidden_and_survive_a_host_that_closes_everything();
    /* What a child forgets is a leak to valgrind, and it has no filter of system calls. */
    if (!under_valgrind()) {
        an_unannounced_fork_is_noticed();
        without_hiding_all_works();
        connections_that_a_host_closed_are_made_anew();
    }
    fresh();
    return 0;
}

/* Commits a fault on purpose, to prove that the sanitizers watch. Usage: fault c|undefined|rust */
#include <mona.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* A length that is too long: the library reads behind the allocation. */
static void in_rust(void)
{
    static const char text[] = "[{\"contextClass\":\"an unfinished message      ";
    mona_client *client = NULL;
    char *memory = malloc(sizeof text - 1);
    memcpy(memory, text, sizeof text - 1);
    mona_client_new("{\"auth_mode\":\"NO_AUTH\",\"user_id\":\"u\"}", &client, NULL);
    mona_export_json(client, memory, sizeof text + 7, NULL, NULL);
}

int main(int argc, char **argv)
{
    const char *where = argc > 1 ? argv[1] : "";
    if (strcmp(where, "rust") == 0)
        in_rust();
    if (strcmp(where, "c") == 0) {
        volatile char *memory = malloc(8);
        memory[argc * 4] = 1;
    }
    if (strcmp(where, "undefined") == 0) {
        volatile int most = INT_MAX;
        most = most + argc;
    }
    return 0;
}

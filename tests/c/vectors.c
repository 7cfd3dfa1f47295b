/* The cases of tests/vectors.txt, in C and, by way of vectors.cpp, in C++. Usage: test_vectors FILE */
#include "check.h"
#include "sandbox.h"

#define MOST_REQUESTS 4

struct vector {
    const char *name, *config, *call, *input, *options, *answer, *status, *document;
    const char *requests[MOST_REQUESTS + 1];
};

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL && fseek(file, 0, SEEK_END) == 0);
    long size = ftell(file);
    char *text = (char *)malloc((size_t)size + 1);
    rewind(file);
    CHECK(text != NULL && fread(text, 1, (size_t)size, file) == (size_t)size);
    text[size] = '\0';
    fclose(file);
    return text;
}

/* Where the value of a line with this key begins in the vector. */
static const char **member(struct vector *vector, const char *key)
{
    if (strcmp(key, "request") == 0) {
        int number = 0;
        while (vector->requests[number] != NULL)
            number++;
        CHECK(number < MOST_REQUESTS);
        return &vector->requests[number];
    }
    return strcmp(key, "case") == 0       ? &vector->name
           : strcmp(key, "config") == 0   ? &vector->config
           : strcmp(key, "call") == 0     ? &vector->call
           : strcmp(key, "input") == 0    ? &vector->input
           : strcmp(key, "options") == 0  ? &vector->options
           : strcmp(key, "answer") == 0   ? &vector->answer
           : strcmp(key, "status") == 0   ? &vector->status
           : strcmp(key, "document") == 0 ? &vector->document
                                          : NULL;
}

/* Cuts a line off, which ends here. */
static char *cut(char *text, char end)
{
    char *found = strchr(text, end);
    if (found == NULL)
        return text + strlen(text);
    *found = '\0';
    return found + 1;
}

/* Of a character that JSON escapes by number: the sandbox does so with control characters only. */
static void append_utf8(char **to, unsigned code)
{
    if (code >= 0x80)
        *(*to)++ = (char)(0xc0 | code >> 6);
    *(*to)++ = (char)(code < 0x80 ? code : (0x80 | (code & 0x3f)));
}

/* The character that this escape means, unless it is one of \u. */
static char meaning(char escape)
{
    static const char escapes[] = "bfnrt", meanings[] = "\b\f\n\r\t";
    const char *found = strchr(escapes, escape);
    return found == NULL ? escape : meanings[found - escapes];
}

/* Undoes JSON's escapes in place, up to the end of the string; what follows it. */
static char *unescape(char *text)
{
    char *to = text;
    while (*text != '"') {
        if (*text != '\\') {
            *to++ = *text++;
        } else if (text[1] != 'u') {
            *to++ = meaning(text[1]);
            text += 2;
        } else {
            char digits[5] = {text[2], text[3], text[4], text[5], '\0'};
            append_utf8(&to, (unsigned)strtoul(digits, NULL, 16));
            text += 6;
        }
    }
    *to = '\0';
    return text + 1;
}

/* The value of the next member with this name, cut off; `rest` goes past it. */
static const char *next(char **rest, const char *member)
{
    char *found = strstr(*rest, member);
    if (found == NULL)
        return NULL;
    char *value = found + strlen(member);
    *rest = unescape(value);
    return value;
}

static void check_requests(const struct vector *vector)
{
    char *answer = sandbox_requests(), *rest = answer;
    const char *path;
    int number = 0;
    for (; (path = next(&rest, "{\"method\":\"POST\",\"path\":\"")) != NULL; number++) {
        const char *wanted = vector->requests[number];
        const char *text = next(&rest, "\"text\":\"");
        check_that(wanted != NULL, __FILE__, __LINE__, vector->name, path);
        size_t length = strlen(path);
        int same = strncmp(wanted, path, length) == 0 && wanted[length] == ' ' &&
                   strcmp(wanted + length + 1, text) == 0;
        check_that(same, __FILE__, __LINE__, vector->name, text);
    }
    check_that(vector->requests[number] == NULL, __FILE__, __LINE__, vector->name, "a request is missing");
    free(answer);
}

static void set_up_sandbox(const struct vector *vector)
{
    const char *answer = vector->answer == NULL ? "[]" : vector->answer;
    static char rules[4096];
    int length = snprintf(rules, sizeof rules, "{\"defaults\":{\"enforce_auth\":false},\"rules\":%s}", answer);
    CHECK(length < (int)sizeof rules);
    sandbox_reset();
    sandbox_rules(rules);
}

static void play(const struct vector *vector)
{
    set_up_sandbox(vector);
    mona_client *client = new_client(vector->config);
    char *document = NULL;
    mona_status status =
        strcmp(vector->call, "export") == 0
            ? mona_export_json(client, vector->input, -1, vector->options, &document)
            : mona_service_call(client, vector->call, vector->input, -1, vector->options, &document);
    check_that(status == atoi(vector->status), __FILE__, __LINE__, vector->name, document);
    check_that(strcmp(document, vector->document) == 0, __FILE__, __LINE__, vector->name, document);
    check_requests(vector);
    mona_string_free(document);
    mona_client_free(client);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    char *text = read_file(argv[1]), *rest = text;
    const char *config = NULL;
    struct vector vector;
    int played = 0;
    memset(&vector, 0, sizeof vector);
    while (*rest != '\0') {
        char *line = rest;
        rest = cut(line, '\n');
        char *value = cut(line, ' ');
        const char **place = *line == '\0' || *line == '#' ? NULL : member(&vector, line);
        if (place != NULL)
            *place = value;
        if (vector.name == NULL && vector.config != NULL)
            config = vector.config; /* before all cases */
        if ((*line == '\0' || *rest == '\0') && vector.name != NULL) {
            play(&vector);
            played++;
        }
        if (*line == '\0') {
            memset(&vector, 0, sizeof vector);
            vector.config = config;
        }
    }
    CHECK(played >= 200);
    printf("%d cases\n", played);
    free(text);
    fresh();
    return 0;
}

// The guard of request heads. An input is lines "name:value", the first one the version. What is let through can be
// read in one way only.
#include "services/common/http/head.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <strings.h>

static size_t count_named(const struct http_head *head, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < head->count; i++)
        count +=
            head->fields[i].name_length == strlen(name) && strncasecmp(head->fields[i].name, name, strlen(name)) == 0;
    return count;
}

static void check(const struct http_head *head)
{
    struct http_framing framing;
    struct err err;
    int status = 0;
    if (http_head_check(head, &framing, &status, &err) < 0) {
        FUZZ_HOLDS(status >= 400 && status <= 599);
        return;
    }
    size_t lengths = count_named(head, "Content-Length"), encodings = count_named(head, "Transfer-Encoding");
    FUZZ_HOLDS(lengths + encodings <= 1);
    FUZZ_HOLDS((lengths == 1) == (framing.content_length >= 0) && (encodings == 1) == framing.chunked);
    FUZZ_HOLDS(count_named(head, "Host") == 1 || strcmp(head->version, "HTTP/1.0") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct http_head_field fields[HTTP_HEAD_FIELDS + 8];
    struct http_head head = {.fields = fields};
    char *text = malloc(length + 1);
    FUZZ_HOLDS(text);
    memcpy(text, bytes, length);
    text[length] = '\0';
    char *rest = text;
    head.version = strsep(&rest, "\n");
    while (rest && head.count < HTTP_HEAD_FIELDS + 8) {
        char *line = strsep(&rest, "\n"), *end = line + strlen(line), *colon = strchr(line, ':');
        char *value = colon ? colon + 1 : end;
        fields[head.count++] =
            (struct http_head_field){line, (size_t)((colon ? colon : end) - line), value, (size_t)(end - value)};
    }
    check(&head);
    free(text);
    return 0;
}

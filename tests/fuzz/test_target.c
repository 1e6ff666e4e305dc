// Request targets. A path that is let through climbs nowhere and hides nothing once it is unescaped.
#include "services/common/http/target.h"
#include "tests/fuzz/fuzz.h"

#include <stdbool.h>
#include <string.h>

static bool is_harmless(const char *path, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)path[i] < 0x20 || path[i] == 0x7f || path[i] == '\\')
            return false;
    if (length == 0 || path[0] != '/' || strstr(path, "//") || strstr(path, "/./") || strstr(path, "/../"))
        return false;
    const char *last = strrchr(path, '/');
    return strcmp(last, "/.") != 0 && strcmp(last, "/..") != 0;
}

static void unescape(const char *text, size_t length, bool is_path)
{
    struct err err;
    size_t plain_length;
    char *plain = malloc(length + 1);
    FUZZ_HOLDS(plain);
    int result = http_unescape(text, length, !is_path, plain, &plain_length, &err);
    FUZZ_HOLDS(result < 0 || (plain_length <= length && plain[plain_length] == '\0'));
    if (is_path)
        FUZZ_HOLDS(result == 0 && is_harmless(plain, plain_length));
    free(plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const char *path, *query;
    size_t path_length, query_length;
    struct err err;
    if (http_target_split((const char *)bytes, length, &path, &path_length, &query, &query_length, &err) < 0)
        return 0;
    FUZZ_HOLDS(length <= HTTP_TARGET_LIMIT);
    unescape(path, path_length, true);
    if (query)
        unescape(query, query_length, false);
    return 0;
}

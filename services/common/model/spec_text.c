#include "services/common/model/spec_text.h"
#include "services/common/base/macros.h"

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static bool consists_of(const char *text, const char *characters)
{
    return text[strspn(text, characters)] == '\0';
}

static bool begins_with(const char *text, const char *characters)
{
    return *text && strchr(characters, *text);
}

const char *spec_name_problem(const char *text)
{
    if (!begins_with(text, LOWER) || !consists_of(text, LOWER DIGITS "-"))
        return "has to be a letter from a to z, followed by letters from a to z, digits and '-'";
    return NULL;
}

const char *spec_variable_problem(const char *text)
{
    if (!begins_with(text, LOWER UPPER "_") || !consists_of(text, LOWER UPPER DIGITS "_"))
        return "has to consist of letters, digits and '_', and not begin with a digit";
    if (strncmp(text, "CURFEW_", strlen("CURFEW_")) == 0)
        return "must not begin with CURFEW_: these are set by Curfew";
    return NULL;
}

const char *spec_label_problem(const char *text)
{
    if (!begins_with(text, LOWER UPPER DIGITS) || !consists_of(text, LOWER UPPER DIGITS "._/-"))
        return "has to consist of letters, digits, '.', '_', '/' and '-', and begin with a letter or digit";
    return NULL;
}

const char *spec_label_value_problem(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return "must not contain control characters";
    }
    return NULL;
}

static bool is_digest(const char *text)
{
    const char *digits = text + strlen("sha256:");
    return strncmp(text, "sha256:", strlen("sha256:")) == 0 && strlen(digits) == 64 &&
           consists_of(digits, DIGITS "abcdef");
}

static bool is_tag(const char *text, size_t length)
{
    size_t valid = strspn(text, LOWER UPPER DIGITS "_.-");
    return length > 0 && length <= 128 && valid >= length && !strchr(".-", *text);
}

// A registry's host: letters, digits, '.' and '-', then perhaps a port.
static bool is_host(const char *text, size_t length)
{
    size_t name = strspn(text, LOWER UPPER DIGITS ".-");
    if (name == 0 || name > length || strchr(".-", text[0]) || strchr(".-", text[name - 1]))
        return false;
    if (name == length)
        return true;
    return text[name] == ':' && length > name + 1 && strspn(text + name + 1, DIGITS) == length - name - 1;
}

// The length of what may stand between letters and digits in a path: '.', '_', "__" or any number of '-'.
static size_t separator_length(const char *text)
{
    if (*text == '-')
        return strspn(text, "-");
    if (*text == '_')
        return text[1] == '_' ? 2 : 1;
    return *text == '.';
}

static bool is_path_component(const char *text, size_t length)
{
    const char *end = text + length;
    for (;;) {
        size_t run = strspn(text, LOWER DIGITS);
        text += run;
        if (run == 0 || text >= end)
            return run > 0 && text == end;
        size_t separator = separator_length(text);
        if (!separator)
            return false;
        text += separator;
    }
}

// [host[:port]/]component[/component...], without tag and digest.
static bool is_repository(const char *text, size_t length)
{
    size_t first = strcspn(text, "/");
    bool has_host = first < length && (memchr(text, '.', first) || memchr(text, ':', first) ||
                                       strncmp(text, "localhost/", strlen("localhost/")) == 0);
    if (has_host && !is_host(text, first))
        return false;
    for (size_t at = has_host ? first + 1 : 0; at <= length;) {
        size_t component = MIN(strcspn(text + at, "/"), length - at);
        if (!is_path_component(text + at, component))
            return false;
        at += component + 1;
    }
    return true;
}

static bool is_image(const char *text)
{
    size_t length = strcspn(text, "@");
    const char *slash = memrchr(text, '/', length);
    const char *last = slash ? slash : text;
    const char *colon = memchr(last, ':', length - (size_t)(last - text));
    if (text[length] == '@' && !is_digest(text + length + 1))
        return false;
    if (!colon)
        return is_repository(text, length);
    size_t repository = (size_t)(colon - text);
    return is_tag(colon + 1, length - repository - 1) && is_repository(text, repository);
}

const char *spec_image_problem(const char *text)
{
    if (!is_image(text))
        return "has to be an image reference such as \"redis:7\" or \"registry.example/team/image@sha256:...\"";
    return NULL;
}

const char *spec_bundle_problem(const char *text)
{
    return is_digest(text) ? NULL : "has to be \"sha256:\" and 64 lower-case hex digits";
}

const char *spec_http_path_problem(const char *text)
{
    if (*text != '/')
        return "has to begin with '/'";
    for (; *text; text++) {
        if (*text <= 0x20 || *text >= 0x7f || strchr("#\"<>\\^`{|}", *text))
            return "must consist of characters that a URL's path and query may have";
    }
    return NULL;
}

// What all bounded repetitions may multiply to: regcomp() copies the repeated part that often, also when they are
// nested.
enum { REPETITIONS_MAX = 1000 };

// The larger bound of the interval at `at` ("{2,5}"), 1 when it is none.
static long interval_bound(const char *at)
{
    char *end = NULL;
    long low = strtol(at + 1, &end, 10), high = low;
    if (*end == ',')
        high = strtol(end + 1, &end, 10);
    long bound = MAX(low, high);
    return *end == '}' ? MAX(bound, 1L) : 1;
}

static bool repeats_too_much(const char *text)
{
    long product = 1;
    for (const char *at = strchr(text, '{'); at; at = strchr(at + 1, '{')) {
        long bound = interval_bound(at);
        if (bound > REPETITIONS_MAX || (product *= bound) > REPETITIONS_MAX)
            return true;
    }
    return false;
}

static bool refers_back(const char *text)
{
    for (const char *at = strchr(text, '\\'); at && at[1]; at = strchr(at + 2, '\\')) {
        if (at[1] >= '1' && at[1] <= '9')
            return true;
    }
    return false;
}

const char *spec_pattern_problem(const char *text)
{
    regex_t compiled;
    if (!*text)
        return "must not be empty: it would match every line";
    if (repeats_too_much(text))
        return "has too many repetitions";
    if (refers_back(text))
        return "must not refer back with \\1 to \\9";
    int status = regcomp(&compiled, text, REG_EXTENDED | REG_NOSUB);
    if (status == REG_ESPACE)
        return "needs too much memory";
    if (status != 0)
        return "is not a POSIX extended regular expression";
    regfree(&compiled);
    return NULL;
}

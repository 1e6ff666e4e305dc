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

static bool matches(const char *pattern, const char *text)
{
    regex_t compiled;
    if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    bool matched = regexec(&compiled, text, 0, NULL, 0) == 0;
    regfree(&compiled);
    return matched;
}

const char *spec_image_problem(const char *text)
{
#define WORD "[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*"
    static const char pattern[] = "^([A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?/)?" WORD "(/" WORD ")*"
                                  "(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?(@sha256:[0-9a-f]+)?$";
#undef WORD
    if (!consists_of(text, LOWER UPPER DIGITS "._/:@-") || !matches(pattern, text))
        return "has to be an image reference such as \"redis:7\" or \"registry.example/team/image@sha256:...\"";
    const char *digest = strchr(text, '@');
    if (digest && strlen(digest) != strlen("@sha256:") + 64)
        return "the digest of an image has to have 64 hex digits";
    return NULL;
}

const char *spec_bundle_problem(const char *text)
{
    const char *digits = text + strlen("sha256:");
    if (strncmp(text, "sha256:", strlen("sha256:")) != 0 || strlen(digits) != 64 ||
        !consists_of(digits, DIGITS "abcdef"))
        return "has to be \"sha256:\" and 64 lower-case hex digits";
    return NULL;
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
    if (regcomp(&compiled, text, REG_EXTENDED | REG_NOSUB) != 0)
        return "is not a POSIX extended regular expression";
    regfree(&compiled);
    return NULL;
}

#include "services/common/json/nearest.h"
#include "services/common/base/macros.h"

#include <string.h>

enum { NAME_MAX_LENGTH = 32 };

// Levenshtein's distance, one row at a time.
static size_t distance(const char *a, const char *b)
{
    size_t a_length = strlen(a), b_length = strlen(b);
    size_t row[NAME_MAX_LENGTH + 1];
    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t replaced = diagonal + (a[i - 1] != b[j - 1]), moved = MIN(row[j], row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = MIN(replaced, moved);
        }
    }
    return row[b_length];
}

const char *nearest_name(const char *name, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t length = strlen(name), limit = length < 4 ? 1 : 2;
    if (length > NAME_MAX_LENGTH)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (strlen(names[i]) > NAME_MAX_LENGTH)
            continue;
        size_t edits = distance(name, names[i]);
        if (edits <= limit) {
            best = names[i];
            limit = edits ? edits - 1 : 0;
        }
    }
    return best;
}

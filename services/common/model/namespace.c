#include "services/common/model/namespace.h"

#include <string.h>

bool namespace_is_valid(const char *name)
{
    size_t length = strlen(name);
    return length > 0 && length < NAMESPACE_SIZE && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

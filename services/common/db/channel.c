#include "services/common/db/channel.h"

#include <stdbool.h>
#include <string.h>

int channel_check(const char *channel, struct err *err)
{
    size_t length = strlen(channel);
    bool valid = length > 0 && length < CHANNEL_SIZE && channel[0] >= 'a' && channel[0] <= 'z' &&
                 strspn(channel, "abcdefghijklmnopqrstuvwxyz0123456789_") == length;
    return valid ? 0 : err_set(err, ERR_INVALID, "'%s' is not the name of a channel", channel);
}

// Cleanup of a descriptor: the error that a caller is about to report must survive it.
#include "services/common/base/cleanup.h"

#include <errno.h>
#include <unistd.h>

void cleanup_close(int *fd)
{
    if (*fd < 0)
        return;
    int kept = errno;
    close(*fd);
    errno = kept;
}

#include "services/common/base/pulse.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// Times of one width replace each other in a single write, which a reader sees whole.
#define DIGITS 19
#define STEP_MS 1000

// A lock on the whole file, that goes with its descriptor. Asking who has it takes none, unlike flock(): a program that
// starts while somebody asks is not kept from its own.
static int lock(int fd, int command, short *type)
{
    struct flock whole = {.l_type = *type, .l_whence = SEEK_SET};
    int outcome = fcntl(fd, command, &whole);
    *type = whole.l_type;
    return outcome;
}

int pulse_open(struct pulse *pulse, const char *path, struct err *err)
{
    AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return err_errno(err, ERR_IO, errno, "cannot open '%.180s'", path);
    short exclusive = F_WRLCK;
    if (lock(fd, F_OFD_SETLK, &exclusive) < 0)
        return err_errno(err, errno == EAGAIN ? ERR_CONFLICT : ERR_IO, errno, "'%.150s' is locked by a running process",
                         path);
    if (ftruncate(fd, 0) < 0)
        return err_errno(err, ERR_IO, errno, "cannot empty '%.180s'", path);
    *pulse = (struct pulse){.fd = TAKE_FD(fd)};
    return 0;
}

void pulse_close(struct pulse *pulse)
{
    if (pulse->fd >= 0)
        close(pulse->fd);
    *pulse = (struct pulse)PULSE_INIT;
}

void pulse_beat(struct pulse *pulse, int64_t until_ms)
{
    char text[DIGITS + 2];
    if (pulse->fd < 0 || (until_ms >= pulse->until_ms && until_ms - pulse->until_ms < STEP_MS))
        return;
    int length = snprintf(text, sizeof text, "%0*" PRId64 "\n", DIGITS, until_ms < 0 ? 0 : until_ms);
    if (pwrite(pulse->fd, text, (size_t)length, 0) == length)
        pulse->until_ms = until_ms;
}

static int read_until(int fd, int64_t *until_ms, struct err *err)
{
    char text[DIGITS + 1] = "";
    if (pread(fd, text, DIGITS, 0) != DIGITS)
        return err_set(err, ERR_UNAVAILABLE, "it has started, and is not healthy yet");
    text[DIGITS] = '\0';
    char *digits = text + strspn(text, "0");
    return parse_i64(*digits ? digits : "0", 0, INT64_MAX, "pulse", until_ms, err);
}

int pulse_check(const char *path, struct err *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int64_t until_ms;
    if (fd < 0)
        return err_errno(err, ERR_UNAVAILABLE, errno, "cannot read '%.180s'", path);
    short found = F_RDLCK;
    if (lock(fd, F_OFD_GETLK, &found) < 0 || found == F_UNLCK)
        return err_set(err, ERR_UNAVAILABLE, "it does not run");
    if (read_until(fd, &until_ms, err) < 0)
        return -1;
    int64_t late_ms = clock_boot_ms() - until_ms;
    if (late_ms >= 0)
        return err_set(err, ERR_UNAVAILABLE, "it has not been healthy for %" PRId64 " s", late_ms / 1000);
    return 0;
}

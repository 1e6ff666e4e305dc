#include "services/worker/shim/record.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void record_line(int fd, const char *format, ...)
{
    char line[160];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (fd < 0 || length < 0 || (size_t)length >= sizeof(line))
        return;
    ssize_t ignored = write(fd, line, (size_t)length);
    UNUSED(ignored);
}

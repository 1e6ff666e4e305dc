// Ends a test program whose surroundings do not work.
#pragma once

#include "services/common/base/macros.h"

// Prints to stderr and exits with 99, at_exit functions included.
__attribute__((noreturn)) void die(const char *format, ...) PRINTF_LIKE(1, 2);

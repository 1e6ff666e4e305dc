// Names of NOTIFY channels. Internal to common/db.
#pragma once

#include "services/common/base/err.h"

#define CHANNEL_SIZE 48

// ERR_INVALID unless it is a lower-case identifier of letters, digits and underscores that needs no quotes and fits.
int channel_check(const char *channel, struct err *err) WARN_UNUSED;

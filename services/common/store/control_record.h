// Facts that more than one control call writes. Private to store/control_*.c; the job is locked.
#pragma once

#include "services/common/base/err.h"
#include "services/common/store/change.h"
#include "services/common/store/embedded.h"

int control_record_stop(struct db *db, const struct locked_job *job, struct err *err) WARN_UNUSED;

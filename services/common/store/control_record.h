// Facts that more than one control call writes. Private to store/control_*.c; the job is locked.
#pragma once

#include "services/common/base/err.h"
#include "services/common/store/change.h"
#include "services/common/store/embedded.h"

// That the job is to be stopped, unless it is being stopped anyway; and who asked for it.
int control_record_stop(struct db *db, struct locked_job *job, const char *by, struct err *err) WARN_UNUSED;
// Whether it was asked for, or the job's end does it.
bool control_is_stopping(const struct locked_job *job);
// An event that says who asked.
int control_event(struct db *db, struct locked_job *job, const char *kind, const char *by, struct err *err) WARN_UNUSED;

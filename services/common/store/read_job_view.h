// Jobs as users see them: loaded together, written one by one. Private to store/read_*.c.
#pragma once

#include "services/common/store/read_common.h"

struct job_views {
    struct result jobs, stages, services; // by falling job
    int stage_row, service_row;           // where the next job's begin
};
#define JOB_VIEWS_INIT {0}
#define AUTO_JOB_VIEWS CLEANUP(job_views_release)

void job_views_release(struct job_views *views);
// Inside a snapshot.
int job_views_load(struct job_views *views, struct db *db, const int64_t *jobs, size_t count,
                   struct err *err) WARN_UNUSED;
int job_views_count(const struct job_views *views);
// Appends the job of row `row`, in rising order of rows; leaves it out when its state is not `state` (-1: any).
// Fills in *progress unless it is NULL.
void job_views_write(struct job_views *views, int row, int state, struct job_progress *progress, struct strbuf *out);
int job_views_done(const struct job_views *views, const struct strbuf *out, struct err *err) WARN_UNUSED;

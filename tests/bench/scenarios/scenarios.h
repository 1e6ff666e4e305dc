// The scenarios: what is measured, each in a world of its own per run. They note what they measured (measures.h), and
// end the program when what was done was not right.
#pragma once

struct pg;

// drain.c: tasks that are claimed and reported
void scenario_slices(struct pg *pg);
void scenario_singles(struct pg *pg);
void scenario_widths(struct pg *pg);
void scenario_workers(struct pg *pg);
void scenario_managers(struct pg *pg);
void scenario_soak(struct pg *pg);
// jobs.c: jobs that are submitted one by one
void scenario_jobs(struct pg *pg);
void scenario_latency(struct pg *pg);
// growth.c: how the cost depends on what is in the database
void scenario_tasks(struct pg *pg);
void scenario_open(struct pg *pg);
void scenario_finished(struct pg *pg);
// snapshot.c
void scenario_snapshot(struct pg *pg);
// idle.c
void scenario_idle(struct pg *pg);

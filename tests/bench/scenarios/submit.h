// Jobs for the scenarios.
#pragma once

#include <stdint.h>

struct world;

// Jobs of `tasks` tasks without items.
void submit_counted(struct world *world, int jobs, int64_t tasks);
// Jobs of `tasks` tasks with an item of 32 bytes each.
void submit_items(struct world *world, int jobs, int64_t tasks);

// A job of one task, for load_send(); its item is 21 digits: `number`.
#define SMALL_JOB_SIZE 160
int small_job(char out[static SMALL_JOB_SIZE], int64_t number);
// The item of the first task in a poll's reply to whom submits small jobs only; -1: no task.
int64_t small_job_number(const char *reply);

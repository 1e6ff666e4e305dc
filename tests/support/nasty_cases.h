// Each nasty service: what becomes of the job, what the certificate says, and that nothing is left. What writes a
// gigabyte has a test of its own (test_logs.c).
#pragma once

struct flavour;

// Runs all of them as a group of cmocka tests; returns how many failed.
int nasty_cases_run(const struct flavour *how);

// Every way in which a job can end, each with services that are hard to end: whatever way it was, nothing of the job is
// left on this machine, and there is a certificate for everything that there was.
//
// All jobs run at once; each test brings its own to its end and looks.
#pragma once

struct flavour;

// Runs all of them as a group of cmocka tests; returns how many failed.
int endings_run(const struct flavour *how);

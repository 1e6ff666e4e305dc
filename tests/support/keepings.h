// Services that were asked to outlive the work: they do, just as long as asked, and then they go home like all others.
#pragma once

struct flavour;

// Runs all of them as a group of cmocka tests; returns how many failed.
int keepings_run(const struct flavour *how);

// What every fuzz target is made of: one entry point that takes any bytes, never fails and never leaks.
//
// Each test_<name>.c here is a target. `make test` links it with replay.c, which feeds it tests/fuzz/corpus/<name>;
// `make fuzz` links it with clang's libFuzzer, which looks for more.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

// A promise of what is fuzzed: broken is a finding.
#define FUZZ_HOLDS(condition) ((condition) ? (void)0 : abort())

// Between a program under test and a manager: passes on what they say, and holds every reply against the API's document
// (tests/support/contract.h). It is a process of its own, of tests/fixtures/contract_proxy.c.
#pragma once

#include "services/common/base/cleanup.h"

#include <stddef.h>

struct contract_proxy;

// Starts one in front of `url`, http://ADDRESS:PORT; the manager need not be there yet, or for ever.
struct contract_proxy *contract_proxy_start(const char *url);
const char *contract_proxy_url(const struct contract_proxy *proxy);
// What it has found wrong, "" so far: a reply that contradicts the document ends it at once.
const char *contract_proxy_complaint(struct contract_proxy *proxy);
// Ends it. How many replies it has checked; ends the test program when one was wrong. Takes NULL: 0.
size_t contract_proxy_end(struct contract_proxy *proxy);

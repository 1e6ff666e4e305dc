// Counts connections per peer address. Thread-safe.
#pragma once

#include "services/common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct http_address {
    bool is_counted; // false for Unix sockets
    uint8_t bytes[16];
};

struct http_admission;
int http_admission_new(size_t limit_per_address, struct http_admission **out, struct err *err) WARN_UNUSED;
void http_admission_free(struct http_admission *admission); // takes NULL

// IPv4 and IPv4-mapped addresses are one; IPv6 addresses count by their /64. *is_loopback is true for Unix sockets too.
struct http_address http_address_from(const struct sockaddr *address, bool *is_loopback);
// Counts one more. False when that is above the limit (it counts all the same) or memory ran out (then not counted).
bool http_admission_enter(struct http_admission *admission, struct http_address *address);
void http_admission_leave(struct http_admission *admission, const struct http_address *address);

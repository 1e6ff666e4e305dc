// Bytes over a socket, for tests of what well-behaved clients never send. Failures end the test program.
#pragma once

#include "services/common/base/strbuf.h"
#include "services/common/http/client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int raw_connect(uint16_t port); // to 127.0.0.1; close() it
// The same, and the kernel takes only some 0.1 MB for it that it does not read, a small part of what it usually takes.
int raw_connect_narrow(uint16_t port);
// Sends what the peer takes: one that has closed already is no failure.
void raw_send(int fd, const void *bytes, size_t length);
void raw_send_text(int fd, const char *text);
// Reads until the peer closes or timeout_ms passed. True: it has closed (or reset).
bool raw_read_to_end(int fd, struct strbuf *out, int64_t timeout_ms);
// Reads one response: its head and as much body as Content-Length says, appended to `out`. Its status; -1 when the peer
// closed before, or nothing complete came within timeout_ms.
int raw_read_response(int fd, struct strbuf *out, int64_t timeout_ms);
// Reads until `out` contains `text`. False at the end or after timeout_ms.
bool raw_read_until(int fd, struct strbuf *out, const char *text, int64_t timeout_ms);
// Takes the first final response off `bytes`: its head into `out`, its body out of its framing. Outcomes: how many
// bytes it is; 0: it is not whole, and nothing more comes when `at_end`, which is the end of a body without a length.
// `out` has as much as there is, once the head is whole; its status is 0 before.
size_t raw_parse_response(const char *bytes, size_t length, bool has_body, bool at_end, struct http_response *out);
int raw_status(const char *response); // of "HTTP/1.1 404 ..."; -1 when it is no response

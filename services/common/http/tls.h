// What the server proves who it is with: a certificate and its key, read from files, and again when they change.
//
// A handshake takes what is there when it begins; connections that are open, parked requests among them, do not notice
// a change. What was read before is kept until the end, because handshakes may still use it. libmicrohttpd gives the
// callback nothing of ours, so there is one identity in a process. Any thread may reload.
#pragma once

#include "services/common/base/err.h"

#include <stdbool.h>

struct http_tls;

// Files in PEM: the certificate with those that lead to its root behind it, and the key without a password. Both are
// borrowed. ERR_NOT_FOUND, ERR_IO: unreadable. ERR_INVALID: no certificate, no key, or not of one another.
// ERR_CONFLICT: the process has one already.
int http_tls_new(const char *certificate_file, const char *key_file, struct http_tls **out,
                 struct err *err) WARN_UNUSED;
void http_tls_free(struct http_tls *tls); // takes NULL; no handshake may be going on

// Reads the files if they are others than they were, or always with `anyway`. 1: new handshakes use what was read; 0:
// nothing has changed since it was last read, or failed to be; errors as above, and what was there stays.
int http_tls_reload(struct http_tls *tls, bool anyway, struct err *err) WARN_UNUSED;

// The gnutls_certificate_retrieve_function2 that hands out the process's identity.
typedef void (*http_tls_callback)(void);
http_tls_callback http_tls_retrieve(void);

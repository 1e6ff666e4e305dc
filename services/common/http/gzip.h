// Compressed replies: gzip, for clients that ask for it. The only zlib.h.
#pragma once

#include "services/common/base/cleanup.h"
#include "services/common/base/err.h"
#include "services/common/base/strbuf.h"
#include "services/common/http/reply.h"
#include "services/common/http/request.h"

#include <stdbool.h>
#include <stddef.h>

// Whether Accept-Encoding takes gzip, and likes it no less than the bytes as they are. Weights (q) are honoured.
bool http_accepts_gzip(const struct http_request *request);
// Compresses the body of a 200 to a GET that is text of a kilobyte or more, if the client takes it. Takes a millisecond
// for 100 KB: not on a server thread. Afterwards the reply says that it varies, and its ETag is a weak one.
void http_reply_gzip(struct http_reply *reply, const struct http_request *request);
// Puts `packed`, the reply's body as gzip_bytes() had it, in the body's place; it is moved. HTTP_REPLY.
enum http_handled http_reply_packed(struct http_reply *reply, struct strbuf *packed);
// The headers of a reply that is, or might have been, compressed.
void http_reply_gzip_headers(struct http_reply *reply, bool is_compressed);

// Appends the whole of `bytes`, compressed. ERR_NO_MEMORY.
int gzip_bytes(const void *bytes, size_t length, struct strbuf *out, struct err *err) WARN_UNUSED;

// A compressor for one stream, of some 64 KB. One thread at a time.
struct gzip;
int gzip_new(struct gzip **out, struct err *err) WARN_UNUSED;
void gzip_free(struct gzip *gzip); // takes NULL
DEFINE_CLEANUP(struct gzip *, gzip_free);
#define AUTO_GZIP CLEANUP(cleanup_gzip_free)
// Appends what the bytes are compressed, all of it: who reads `out` so far can read all bytes so far. Out of memory
// shows in `out`.
void gzip_add(struct gzip *gzip, const void *bytes, size_t length, struct strbuf *out);
void gzip_end(struct gzip *gzip, struct strbuf *out); // appends the end

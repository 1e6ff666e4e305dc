// What came compressed, as it was.
#pragma once

#include "services/common/base/strbuf.h"

// Appends to `out`; how many bytes stand behind the compressed ones. Ends the test program when they break off.
// Thread-safe.
size_t gunzip(const struct strbuf *packed, struct strbuf *out);

// What does not agree in an installation, as far as its database shows: for GET /v1/doctor.
//
// Only reads. A finding is a check with its verdict: "ok", "warning" (it works, and is not how it should be) or
// "wrong".
#pragma once

#include "services/common/base/err.h"
#include "services/common/base/strbuf.h"

struct db;

// {"deployment", "at", "findings": [{"check", "verdict", "found", "advice": null|"..."}]}: `at` is the database's
// clock. Every check is there, whatever its verdict.
int doctor_read(struct db *db, struct strbuf *out, struct err *err) WARN_UNUSED;

// struct params as libpq wants them. Internal to common/db.
#pragma once

#include "services/common/db/params.h"

struct bound {
    const char *values[PARAMS_MAX];
    int lengths[PARAMS_MAX];
    int formats[PARAMS_MAX];
    unsigned types[PARAMS_MAX];
    int count;
};

// Points into params. `params` may be NULL for none. Fails when params_ok() does.
int bind_params(const struct params *params, struct bound *out, struct err *err) WARN_UNUSED;

// What a prepared statement expects.
struct signature {
    int count;
    unsigned types[PARAMS_MAX];
};
// ERR_INTERNAL that names the parameter when number or types differ.
int bind_check(const struct params *params, const struct signature *signature, struct err *err) WARN_UNUSED;

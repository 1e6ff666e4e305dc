// What the decisions of why_*.c have in common. Private to them.
#pragma once

#include "services/common/base/macros.h"
#include "services/common/base/parse.h"
#include "services/common/json/write.h"
#include "services/common/model/states.h"
#include "services/common/model/why.h"

// The answer: its code, with the advice of the table, and the message. Returns true.
bool why_say(struct why *why, enum why_code code, const char *format, ...) PRINTF_LIKE(3, 4);
// The evidence is an object: opens it before, closes it behind, and says WHY_SETTLING when `decided` is false.
void why_begin(struct why *why);
void why_end(struct why *why, bool decided);
// "3m20s"; whole seconds, because people read it. Less than nothing is nothing.
const char *why_duration(int64_t us, char text[static PARSE_DURATION_TEXT_SIZE]);

void why_add_fleet(struct why *why, const struct why_fleet *fleet);
void why_add_tasks(struct why *why, const struct why_view *view);

// Each is true when it has said something.
bool why_kept(const struct why_view *view, struct why *why);     // an ended job that keeps its services
bool why_cleaning(const struct why_view *view, struct why *why); // the most telling of the services that are left
bool why_starting(const struct why_view *view, struct why *why); // a service that is not ready
// Why nobody has taken what is ready.
bool why_not_claimed(const struct why_view *view, struct why *why);

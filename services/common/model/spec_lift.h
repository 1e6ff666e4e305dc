// Lifts lists of tasks out of the text of a spec before it becomes a tree: a hundred thousand items take a hundred
// times their text in json-c, and nothing looks into them. What is left is the same text with empty lists.
#pragma once

#include "services/common/base/strbuf.h"
#include "services/common/json/field.h"
#include "services/common/model/job_spec.h"

struct spec_lifted {
    long stage;              // its number; -1: `tasks` at the top level
    const char *start, *end; // of the array, in the text
};

struct spec_lift {
    struct strbuf skeleton;
    struct spec_lifted lists[SPEC_STAGES_MAX + 1];
    size_t count;
};
#define SPEC_LIFT_INIT {0}
#define AUTO_SPEC_LIFT CLEANUP(spec_lift_release)

// `text` has passed json_scan and outlives the lift. ERR_NO_MEMORY is the only error.
int spec_lift(const char *text, size_t length, struct spec_lift *out, struct err *err) WARN_UNUSED;
void spec_lift_release(struct spec_lift *lift);
// The list of a stage (-1: the top level), NULL when it has none.
const struct spec_lifted *spec_lift_find(const struct spec_lift *lift, long stage);

// Stores the items of a list compactly; faults (too many, one too long) go to `member`. False: no memory.
bool spec_items_read(const struct spec_lifted *list, const struct field *member, struct arena *arena,
                     struct spec_items *out);

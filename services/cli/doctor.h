// What `curfew doctor` finds, area by area. Looks only, but for the drill.
#pragma once

#include "services/cli/cli.h"

#include <json-c/json.h>

enum verdict { VERDICT_OK, VERDICT_WARNING, VERDICT_WRONG };

// Findings as the manager writes them, with their area: [{"area", "check", "verdict", "found", "advice"}].
struct findings {
    struct json_object *list;
    enum verdict worst;
};

// `advice` is shown unless the verdict is VERDICT_OK; NULL: none.
void findings_add(struct findings *findings, const char *area, const char *check, enum verdict verdict,
                  const char *advice, const char *format, ...) PRINTF_LIKE(6, 7);
// Those of GET /v1/doctor.
void findings_add_answer(struct findings *findings, struct json_object *answer);
enum verdict verdict_from_name(const char *name); // anything that is not known is VERDICT_WRONG

void doctor_machine(struct findings *findings); // this machine, as this user
// Has the worker that takes a canary job kill itself, and says whether anything of the canary is left. Minutes at most.
void doctor_drill(struct cli *cli, struct findings *findings);
// The engine at `url` against what the manager, of this deployment, knows to be there; "" when it is not known.
void doctor_engine(struct cli *cli, const char *url, const char *deployment, struct findings *findings);

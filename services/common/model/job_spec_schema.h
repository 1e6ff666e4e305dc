// The job spec as schemas of the API's document: made from the tables that it is read with, so that what the document
// says is what the reader does. Pure.
#pragma once

#include "services/common/json/schema.h"

extern const struct schema_set job_spec_types; // what its fields are made of: Name, Duration, Labels, Outcome, ...
extern const char job_spec_example[];          // JSON
extern const char job_spec_of_commands[];      // Markdown: what commands are given, and what they answer with

// Appends `"JobSpec":{...},"Autostop":{...},...`: its objects.
void job_spec_write_schemas(struct strbuf *out);

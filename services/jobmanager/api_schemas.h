// The schemas of the API's document: one table row per schema, one per field. A call names them in api_doc.c.
#pragma once

#include "services/common/base/macros.h"
#include "services/common/json/schema.h"

// Every set of the document, ended by NULL; the job spec's objects come on top of them (job_spec_schema.h).
extern const struct schema_set *const api_schemas[];

extern const struct schema_set api_schemas_common; // ids, times, numbers, problems
extern const struct schema_set api_schemas_jobs;   // jobs and what belongs to them
extern const struct schema_set api_schemas_work;   // workers, their polls and reports
extern const struct schema_set api_schemas_tokens; // tokens, bundles, the manager itself

// A row of a table of fields; more members of the row may follow.
#define FIELD(NAME, TYPE, MEANING, ...) {.name = (NAME), .type = (TYPE), .meaning = (MEANING), ##__VA_ARGS__}

// Rows of these tables. REPLY: readers ignore fields that they do not know. BODY: other fields are refused.
#define REPLY(NAME, FIELDS, MEANING) \
    {.name = (NAME), .kind = SCHEMA_OBJECT, .fields = (FIELDS), .field_count = ARRAY_LEN(FIELDS), .meaning = (MEANING)}
#define BODY(NAME, FIELDS, MEANING)    \
    {.name = (NAME),                   \
     .kind = SCHEMA_OBJECT,            \
     .fields = (FIELDS),               \
     .field_count = ARRAY_LEN(FIELDS), \
     .closed = true,                   \
     .meaning = (MEANING)}
#define TEXT(NAME, MIN, MAX, PATTERN, EXAMPLE, MEANING) \
    {.name = (NAME),                                    \
     .kind = SCHEMA_TEXT,                               \
     .min = (MIN),                                      \
     .max = (MAX),                                      \
     .pattern = (PATTERN),                              \
     .example = (EXAMPLE),                              \
     .meaning = (MEANING)}
#define INTEGER(NAME, MIN, MAX, EXAMPLE, MEANING) \
    {.name = (NAME), .kind = SCHEMA_INTEGER, .min = (MIN), .max = (MAX), .example = (EXAMPLE), .meaning = (MEANING)}
#define WORD_OF(NAME, FUNCTION, COUNT, MEANING) \
    {.name = (NAME), .kind = SCHEMA_WORDS, .word = (FUNCTION), .word_count = (COUNT), .meaning = (MEANING)}
#define ONE_OF(NAME, WORDS, MEANING) {.name = (NAME), .kind = SCHEMA_WORDS, .words = (WORDS), .meaning = (MEANING)}
#define LIST(NAME, TYPE, MAX, MEANING) \
    {.name = (NAME), .kind = SCHEMA_TYPE, .type = (TYPE), .max = (MAX), .meaning = (MEANING)}

// The job spec in the API's document: its objects from the tables of its fields, and the types that these name.
#include "services/common/model/job_spec_schema.h"
#include "services/common/base/macros.h"
#include "services/common/model/job_spec_fields.h"
#include "services/common/model/spec_text.h"

#include <inttypes.h>
#include <string.h>

#define TEXT_OF(number) #number
#define DIGITS(number) TEXT_OF(number)

static const char *service_runtime(int number)
{
    static const char *const names[] = {"process", "docker", "kubernetes"};
    return names[number];
}

static const struct schema_field restart_policy[] = {
    {.name = "restart", .type = "Restart", .meaning = "It is started again, as a new epoch.", .example = "{\"max\":3}"},
};
static const struct schema_field task_count[] = {
    {.name = "count", .type = "TaskCountNumber", .meaning = "How many tasks there are, whose item is null."},
};
static const struct schema_field from_after[] = {
    {.name = "after", .type = "Name", .meaning = "The stage whose outputs are the tasks, once it is closed."},
};

static const struct schema types[] = {
    {.name = "Name",
     .kind = SCHEMA_TEXT,
     .min = 1,
     .max = SPEC_NAME_MAX,
     .pattern = "^[a-z][a-z0-9-]*$",
     .example = "\"word-count\"",
     .meaning = "what jobs, stages, services, ports and queues are called"},
    {.name = "Names", .kind = SCHEMA_TYPE, .type = "Name[]", .max = SPEC_STAGES_MAX, .meaning = "names, each once"},
    {.name = "Duration",
     .kind = SCHEMA_TEXT,
     .min = 1,
     .max = 64,
     .pattern = "^(0|([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$",
     .example = "\"30s\"",
     .meaning = "days, hours, minutes, seconds and milliseconds, up to 10 years: `250ms`, `10s`, `1h30m`"},
    {.name = "SizeText",
     .kind = SCHEMA_TEXT,
     .min = 1,
     .max = 32,
     .pattern = "^[0-9]+([KMGT]i)?$",
     .example = "\"512Mi\"",
     .meaning = "bytes, or how many kibi-, mebi-, gibi- or tebibytes"},
    {.name = "Bytes", .kind = SCHEMA_INTEGER, .max = INT64_MAX, .example = "4096", .meaning = "a number of bytes"},
    {.name = "Size", .kind = SCHEMA_TYPE, .type = "SizeText|Bytes", .meaning = "a size, in bytes or as a text"},
    {.name = "Cpus", .kind = SCHEMA_NUMBER, .min = 1, .max = 1024000, .example = "0.5", .meaning = "a number of CPUs"},
    {.name = "Runtime",
     .kind = SCHEMA_WORDS,
     .word = service_runtime,
     .word_count = 3,
     .meaning = "how a worker runs a command"},
    {.name = "Image",
     .kind = SCHEMA_TEXT,
     .min = 1,
     .max = 512,
     .example = "\"redis:7\"",
     .meaning = "the reference of a container image"},
    {.name = "BundleName",
     .kind = SCHEMA_TEXT,
     .min = 71,
     .max = 71,
     .pattern = "^sha256:[0-9a-f]{64}$",
     .example = "\"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"",
     .meaning = "what a bundle is called"},
    {.name = "Argument",
     .kind = SCHEMA_TEXT,
     .max = SPEC_ARGUMENT_BYTES_MAX,
     .example = "\"./count.sh\"",
     .meaning = "one argument"},
    {.name = "Command",
     .kind = SCHEMA_TYPE,
     .type = "Argument[]",
     .max = SPEC_ARGUMENTS_MAX,
     .meaning = "a program and its arguments; never a shell string"},
    {.name = "Value", .kind = SCHEMA_TEXT, .max = SPEC_ENV_VALUE_BYTES_MAX, .example = "\"1\"", .meaning = "a text"},
    {.name = "Environment",
     .kind = SCHEMA_TYPE,
     .type = "Value{}",
     .max = SPEC_ENV_MAX,
     .example = "{\"LEVEL\":\"1\"}",
     .meaning = "variables by their names, which do not begin with `CURFEW_`"},
    {.name = "Variable",
     .kind = SCHEMA_TEXT,
     .min = 1,
     .max = 255,
     .pattern = "^[A-Za-z_][A-Za-z0-9_]*$",
     .example = "\"API_KEY\"",
     .meaning = "the name of an environment variable"},
    {.name = "Secrets",
     .kind = SCHEMA_TYPE,
     .type = "Variable[]",
     .max = SPEC_SECRETS_MAX,
     .meaning = "names of secrets; their values never pass through the API"},
    {.name = "LabelValue",
     .kind = SCHEMA_TEXT,
     .max = SPEC_LABEL_VALUE_MAX,
     .example = "\"search\"",
     .meaning = "the value of a label, without control characters"},
    {.name = "Labels",
     .kind = SCHEMA_TYPE,
     .type = "LabelValue{}",
     .max = SPEC_LABELS_MAX,
     .example = "{\"team\":\"search\"}",
     .meaning = "labels by their names, which have up to " DIGITS(
         SPEC_LABEL_NAME_MAX) " letters, digits, `.`, `_`, `/` and `-`"},
    {.name = "RestartPolicy",
     .kind = SCHEMA_OBJECT,
     .fields = restart_policy,
     .field_count = ARRAY_LEN(restart_policy),
     .closed = true,
     .meaning = "a service that fails is restarted"},
    {.name = "ServiceFailure",
     .kind = SCHEMA_TYPE,
     .type = "\"fail_job\"|\"ignore\"|RestartPolicy",
     .meaning = "what the death of a service means"},
    {.name = "Items",
     .kind = SCHEMA_TYPE,
     .type = "any[]",
     .max = SPEC_TASKS_LISTED_MAX,
     .meaning = "the items of tasks, each at most " DIGITS(SPEC_ITEM_BYTES_MAX) " bytes of compact JSON"},
    {.name = "TaskCountNumber",
     .kind = SCHEMA_INTEGER,
     .max = SPEC_TASKS_COUNT_MAX,
     .example = "1000",
     .meaning = "a number of tasks"},
    {.name = "TaskCount",
     .kind = SCHEMA_OBJECT,
     .fields = task_count,
     .field_count = ARRAY_LEN(task_count),
     .closed = true,
     .meaning = "tasks without items"},
    {.name = "FromAfter",
     .kind = SCHEMA_OBJECT,
     .fields = from_after,
     .field_count = ARRAY_LEN(from_after),
     .closed = true,
     .meaning = "outputs of a stage, once it is closed"},
    {.name = "Outcome",
     .kind = SCHEMA_WORDS,
     .word = outcome_name,
     .word_count = OUTCOME_COUNT,
     .meaning = "how a job's work ended; once set it never changes"},
    {.name = "Outcomes", .kind = SCHEMA_TYPE, .type = "Outcome[]", .max = OUTCOME_COUNT, .meaning = "each once"},
    {.name = "HttpPath",
     .kind = SCHEMA_TEXT,
     .min = 1,
     .max = 1024,
     .pattern = "^/",
     .example = "\"/healthz\"",
     .meaning = "a path, with a query if need be"},
    {.name = "Expression",
     .kind = SCHEMA_TEXT,
     .min = 1,
     .max = SPEC_PATTERN_BYTES_MAX,
     .example = "\"Ready to accept\"",
     .meaning = "a POSIX extended regular expression"},
    {.name = "SignalName",
     .kind = SCHEMA_TEXT,
     .min = 1,
     .max = 32,
     .pattern = "^(SIG)?[A-Z0-9+]+$",
     .example = "\"SIGTERM\"",
     .meaning = "the name of a signal"},
};
const struct schema_set job_spec_types = {types, ARRAY_LEN(types)};

const char job_spec_example[] =
    "{\"name\":\"word-count\",\"labels\":{\"team\":\"search\"},\"services\":[{\"name\":\"cache\",\"command\":"
    "[\"redis-server\",\"--port\",\"${PORT}\"],\"ports\":[{\"name\":\"main\"}],\"ready\":{\"tcp\":\"main\"}}],"
    "\"stages\":[{\"name\":\"count\",\"command\":[\"./count.sh\"],\"tasks\":[{\"file\":\"a.txt\"},{\"file\":"
    "\"b.txt\"}],\"retries\":{\"max\":3}}]}";

// ---- objects

static void add_text(struct strbuf *out, const char *member, const char *text)
{
    strbuf_add_text(out, member);
    strbuf_add_json(out, text, strlen(text));
}

static void write_type(const struct spec_row *row, struct strbuf *out)
{
    switch (row->kind) {
    case SPEC_TEXT:
    case SPEC_CUSTOM:
        schema_type_write(row->schema, 0, out);
        break;
    case SPEC_INTEGER:
        strbuf_add_format(out, "\"type\":\"integer\",\"minimum\":%" PRId64 ",\"maximum\":%" PRId64, row->min, row->max);
        break;
    case SPEC_DURATION:
        schema_type_write("Duration", 0, out);
        break;
    case SPEC_SIZE:
        schema_type_write("Size", 0, out);
        break;
    case SPEC_CHOICE:
        strbuf_add_text(out, "\"type\":\"string\",\"enum\":[");
        for (int i = 0; row->choices[i]; i++)
            add_text(out, i ? "," : "", row->choices[i]);
        strbuf_add_char(out, ']');
        break;
    case SPEC_OBJECT:
        schema_type_write(row->table->schema, 0, out);
        break;
    case SPEC_LIST:
        strbuf_add_format(out,
                          "\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/%s\"},\"maxItems\":%" PRId64,
                          row->table->schema, row->max);
        break;
    case SPEC_INCLUDE:
        break;
    }
}

static void write_rows(const struct spec_table *table, struct strbuf *required, struct strbuf *out)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct spec_row *row = &table->rows[i];
        if (row->kind == SPEC_INCLUDE) {
            write_rows(row->table, required, out);
            continue;
        }
        spec_write_key(row->name, out);
        strbuf_add_char(out, '{');
        write_type(row, out);
        add_text(out, ",\"description\":", row->meaning);
        strbuf_add_char(out, '}');
        if (row->required)
            add_text(required, required->length ? "," : "", row->name);
    }
}

// `more`: a table whose rows belong to it too; may be NULL.
static void write_table(const struct spec_table *table, const struct spec_table *more, struct strbuf *out)
{
    AUTO_STRBUF struct strbuf required = STRBUF_INIT;
    add_text(out, "", table->schema);
    strbuf_add_text(out, ":{\"type\":\"object\",");
    if (table == &job_table)
        add_text(out, "\"description\":", job_spec_of_commands);
    strbuf_add_text(out, table == &job_table ? ",\"properties\":{" : "\"properties\":{");
    write_rows(table, &required, out);
    if (more)
        write_rows(more, &required, out);
    strbuf_add_char(out, '}');
    if (required.length)
        strbuf_add_format(out, ",\"required\":[%s]", strbuf_text(&required));
    out->failed |= required.failed;
    strbuf_add_text(out, ",\"additionalProperties\":false}");
}

// The tables of the objects within, each once.
static void write_nested(const struct spec_table *table, const struct spec_table **seen, size_t *seen_count,
                         struct strbuf *out)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct spec_table *nested = table->rows[i].table;
        bool known = !nested;
        for (size_t j = 0; j < *seen_count; j++)
            known |= seen[j] == nested;
        if (known)
            continue;
        seen[(*seen_count)++] = nested;
        if (table->rows[i].kind != SPEC_INCLUDE) {
            strbuf_add_char(out, ',');
            write_table(nested, NULL, out);
        }
        write_nested(nested, seen, seen_count, out);
    }
}

void job_spec_write_schemas(struct strbuf *out)
{
    const struct spec_table *seen[32];
    size_t seen_count = 0;
    write_table(&job_table, &stage_work_table, out);
    strbuf_add_char(out, ',');
    write_table(&autostop_table, NULL, out);
    strbuf_add_char(out, ',');
    write_table(&restart_table, NULL, out);
    write_nested(&job_table, seen, &seen_count, out);
}

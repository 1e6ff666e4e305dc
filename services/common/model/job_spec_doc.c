// The reference of the job spec, printed from its tables.
#include "services/common/base/parse.h"
#include "services/common/model/job_spec_fields.h"
#include "services/common/model/job_spec_schema.h"

#include <inttypes.h>
#include <string.h>

const char job_spec_of_commands[] =
    "A command starts without a shell, in a fresh directory that holds the files of the bundle, and may be started "
    "again after an accident: its outputs are recorded once, its other effects may happen twice.\n\n"
    "`exec`: standard input is the task's item as JSON. An exit with 0 is success, 75 asks for another attempt that "
    "does not count, anything else fails the attempt. Lines of JSON that it writes into the file which "
    "`CURFEW_OUTPUT` names are its outputs: the items of the stage that says `from` it, or else results of the job. "
    "Each has 64 KiB at most, all of a task 1 MiB and 10,000 lines. Standard output and error are its log.\n\n"
    "`stream`: each line on standard input is a task, `{\"task\": 7, \"attempt\": 1, \"item\": ...}`; each line on "
    "standard output answers one, `{\"task\": 7, \"ok\": true, \"outputs\": [...]}` or `{\"task\": 7, \"ok\": false, "
    "\"error\": \"...\"}`. Standard error is its log.\n\n"
    "The environment names the job and its stage, in `exec` the task by its number, the attempt and its fencing "
    "token: `CURFEW_JOB`, `CURFEW_STAGE`, `CURFEW_TASK`, `CURFEW_ATTEMPT`, `CURFEW_TOKEN`; in services `CURFEW_JOB`, "
    "`CURFEW_SERVICE`, `CURFEW_EPOCH`. Each service of the job is found by `CURFEW_SERVICE_<NAME>_HOST`, `_PORT`, "
    "`_ADDR` (`host:port`, of its first port) and `_PORT_<PORT>` for each port, names in upper case with `_` for `-`; "
    "services see those that they depend on.\n";

static void print_range(const struct spec_row *row, FILE *out)
{
    char least[PARSE_DURATION_TEXT_SIZE], most[PARSE_DURATION_TEXT_SIZE];
    if (row->kind == SPEC_DURATION) {
        duration_format(row->min, least);
        duration_format(row->max, most);
        fprintf(out, "duration, %s to %s", least, most);
    } else if (row->kind == SPEC_INTEGER) {
        fprintf(out, "integer, %" PRId64 " to %" PRId64, row->min, row->max);
    } else {
        fprintf(out, "size, %" PRId64 "Mi to %" PRId64 "Ti", row->min >> 20, row->max >> 40);
    }
}

static void print_choices(const struct spec_row *row, FILE *out)
{
    for (int i = 0; row->choices[i]; i++)
        fprintf(out, "%s`%s`", !i ? "" : row->choices[i + 1] ? ", " : " or ", row->choices[i]);
}

static void print_type(const struct spec_row *row, FILE *out)
{
    if (row->type) {
        fputs(row->type, out);
        return;
    }
    switch (row->kind) {
    case SPEC_INTEGER:
    case SPEC_DURATION:
    case SPEC_SIZE:
        print_range(row, out);
        break;
    case SPEC_CHOICE:
        print_choices(row, out);
        break;
    case SPEC_OBJECT:
        fputs("object", out);
        break;
    case SPEC_LIST:
        fprintf(out, "list of up to %" PRId64 " objects", row->max);
        break;
    case SPEC_TEXT:
        fputs("text", out);
        break;
    case SPEC_CUSTOM:
    case SPEC_INCLUDE:
        break;
    }
}

static void print_rows(const struct spec_table *table, FILE *out)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct spec_row *row = &table->rows[i];
        if (row->kind == SPEC_INCLUDE) {
            print_rows(row->table, out);
            continue;
        }
        fprintf(out, "| `%s`%s | ", row->name, row->required ? " (required)" : "");
        print_type(row, out);
        fprintf(out, " | %s%s%s | %s |\n", row->fallback ? "`" : "", row->fallback ? row->fallback : "",
                row->fallback ? "`" : "", row->meaning);
    }
}

static void print_table(const struct spec_table *table, FILE *out)
{
    fprintf(out, "\n## %s\n\n| Field | Type | Default | Meaning |\n| --- | --- | --- | --- |\n", table->title);
    print_rows(table, out);
}

// The tables of the objects within, each once.
static void print_nested(const struct spec_table *table, const struct spec_table **seen, size_t *seen_count, FILE *out)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct spec_table *nested = table->rows[i].table;
        bool known = !nested;
        for (size_t j = 0; j < *seen_count; j++)
            known |= seen[j] == nested;
        if (known)
            continue;
        seen[(*seen_count)++] = nested;
        if (table->rows[i].kind != SPEC_INCLUDE)
            print_table(nested, out);
        print_nested(nested, seen, seen_count, out);
    }
}

void job_spec_print_markdown(FILE *out)
{
    const struct spec_table *seen[32];
    size_t seen_count = 0;
    fputs("# The job spec\n\n"
          "JSON over the API; the command line takes YAML as well. Unknown fields are refused, and every fault is\n"
          "reported, each with a JSON pointer. A field that is null is the same as one that is absent.\n\n"
          "Durations are texts such as `\"250ms\"`, `\"10s\"` or `\"1h30m\"`; sizes are numbers of bytes or texts such "
          "as\n"
          "`\"64Ki\"`, `\"512Mi\"` or `\"2Gi\"`. A name is a letter from a to z, followed by letters from a to z, "
          "digits and\n"
          "`-`, 63 characters at most.\n",
          out);
    print_table(&job_table, out);
    print_table(&autostop_table, out);
    print_nested(&job_table, seen, &seen_count, out);
    print_table(&restart_table, out);
    fprintf(out, "\n## What a command sees\n\n%s", job_spec_of_commands);
    fprintf(out,
            "\n## Limits\n\n| What | At most |\n| --- | --- |\n"
            "| the whole text | %d MiB |\n| services | %d |\n| stages | %d |\n| tasks in a list | %d |\n"
            "| tasks by `count` | %d |\n| one item, as compact JSON | %d KiB |\n| arguments of a command | %d, each %d "
            "KiB |\n"
            "| variables in `env` | %d, each %d KiB |\n| labels | %d, each %d bytes |\n| ports of a service | %d |\n",
            (int)(SPEC_BYTES_MAX >> 20), SPEC_SERVICES_MAX, SPEC_STAGES_MAX, SPEC_TASKS_LISTED_MAX,
            SPEC_TASKS_COUNT_MAX, SPEC_ITEM_BYTES_MAX >> 10, SPEC_ARGUMENTS_MAX, SPEC_ARGUMENT_BYTES_MAX >> 10,
            SPEC_ENV_MAX, SPEC_ENV_VALUE_BYTES_MAX >> 10, SPEC_LABELS_MAX, SPEC_LABEL_VALUE_MAX, SPEC_PORTS_MAX);
}

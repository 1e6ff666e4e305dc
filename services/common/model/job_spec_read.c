// Custom rows: what services and stages have in common, and autostop.
#include "services/common/model/job_spec_fields.h"
#include "services/common/model/signal_name.h"
#include "services/common/model/spec_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool text_is_fine(const struct field *field, const char *text, const char *(*problem)(const char *))
{
    const char *what = problem ? problem(text) : NULL;
    if (what)
        field_fault(field, FAULT_FORMAT, "%s", what);
    return !what;
}

struct pairs_rule {
    size_t count_max, name_max, value_max;
    const char *(*name_problem)(const char *);
    const char *(*value_problem)(const char *);
};

static void read_pair(struct spec_reader *reader, const struct field *member, const struct pairs_rule *rule,
                      struct text_pair *out)
{
    const char *value = NULL;
    if (!member->value)
        field_fault(member, FAULT_TYPE, "has to be a text, not null");
    if (strlen(member->name) > rule->name_max)
        field_fault(member, FAULT_RANGE, "the name has to have at most %zu bytes", rule->name_max);
    else
        text_is_fine(member, member->name, rule->name_problem);
    if (field_as_text(member, rule->value_max, &value) == FIELD_READ)
        text_is_fine(member, value, rule->value_problem);
    out->name = spec_copy(reader, member->name);
    out->value = spec_copy(reader, value ? value : "");
}

static void read_pairs(struct spec_reader *reader, const struct field *member, const struct pairs_rule *rule,
                       struct text_pairs *out)
{
    if (field_as_object(member) != FIELD_READ)
        return;
    size_t count = (size_t)json_object_object_length(member->value), i = 0;
    if (count > rule->count_max) {
        field_fault(member, FAULT_RANGE, "has to have at most %zu members, not %zu", rule->count_max, count);
        return;
    }
    struct text_pair *items = spec_allocate(reader, count, sizeof *items);
    if (!items)
        return;
    json_object_object_foreach(member->value, name, value)
    {
        UNUSED(value);
        struct field pair = field_member(member, name);
        read_pair(reader, &pair, rule, &items[i++]);
    }
    *out = (struct text_pairs){.items = items, .count = count};
}

void read_labels(struct spec_reader *reader, const struct field *member, void *at)
{
    static const struct pairs_rule rule = {.count_max = SPEC_LABELS_MAX,
                                           .name_max = SPEC_LABEL_NAME_MAX,
                                           .value_max = SPEC_LABEL_VALUE_MAX,
                                           .name_problem = spec_label_problem,
                                           .value_problem = spec_label_value_problem};
    read_pairs(reader, member, &rule, at);
}

void read_env(struct spec_reader *reader, const struct field *member, void *at)
{
    static const struct pairs_rule rule = {.count_max = SPEC_ENV_MAX,
                                           .name_max = 255,
                                           .value_max = SPEC_ENV_VALUE_BYTES_MAX,
                                           .name_problem = spec_variable_problem};
    read_pairs(reader, member, &rule, at);
}

static bool is_listed(const struct text_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], text) == 0)
            return true;
    }
    return false;
}

struct list_rule {
    size_t count_max, bytes_max;
    const char *(*problem)(const char *);
    bool unique;
};

static void read_list_item(struct spec_reader *reader, const struct field *item, const struct list_rule *rule,
                           struct text_list *out)
{
    const char *text = NULL;
    if (!item->value)
        field_fault(item, FAULT_TYPE, "has to be a text, not null");
    if (field_as_text(item, rule->bytes_max, &text) != FIELD_READ || !text_is_fine(item, text, rule->problem))
        return;
    if (rule->unique && is_listed(out, text)) {
        field_fault(item, FAULT_DUPLICATE, "'%s' stands here twice", text);
        return;
    }
    char *copy = spec_copy(reader, text);
    if (copy)
        out->items[out->count++] = copy;
}

static void read_list(struct spec_reader *reader, const struct field *member, const struct list_rule *rule,
                      struct text_list *out)
{
    if (field_as_array(member, rule->count_max) != FIELD_READ)
        return;
    size_t count = field_count(member);
    out->items = spec_allocate(reader, count, sizeof *out->items);
    for (size_t i = 0; out->items && i < count; i++) {
        struct field item = field_item(member, i);
        read_list_item(reader, &item, rule, out);
    }
}

void read_secrets(struct spec_reader *reader, const struct field *member, void *at)
{
    static const struct list_rule rule = {
        .count_max = SPEC_SECRETS_MAX, .bytes_max = 255, .problem = spec_variable_problem, .unique = true};
    read_list(reader, member, &rule, at);
}

void read_names(struct spec_reader *reader, const struct field *member, void *at)
{
    static const struct list_rule rule = {
        .count_max = SPEC_STAGES_MAX, .bytes_max = SPEC_NAME_MAX, .problem = spec_name_problem, .unique = true};
    struct text_list *out = at;
    if (!field_is_text(member)) {
        read_list(reader, member, &rule, out);
        return;
    }
    out->items = spec_allocate(reader, 1, sizeof *out->items);
    if (out->items)
        read_list_item(reader, member, &rule, out);
}

void read_command(struct spec_reader *reader, const struct field *member, void *at)
{
    static const struct list_rule rule = {.count_max = SPEC_ARGUMENTS_MAX, .bytes_max = SPEC_ARGUMENT_BYTES_MAX};
    struct text_list *out = at;
    if (field_is_text(member)) {
        field_fault(member, FAULT_TYPE,
                    "has to be a list of texts: the program and its arguments; for a shell say "
                    "[\"sh\", \"-c\", ...]");
        return;
    }
    read_list(reader, member, &rule, out);
    struct field program = field_item(member, 0);
    if (field_is_array(member) && !field_count(member))
        field_fault(member, FAULT_RANGE, "must not be empty");
    if (field_is_text(&program) && !*json_object_get_string(program.value))
        field_fault(&program, FAULT_FORMAT, "the program must not be empty");
}

void read_cpus(struct spec_reader *reader, const struct field *member, void *at)
{
    UNUSED(reader);
    double cpus = 0;
    if (field_as_number(member, 0.001, 1024, &cpus) == FIELD_READ)
        *(int64_t *)at = llround(cpus * 1000);
}

void read_signal(struct spec_reader *reader, const struct field *member, void *at)
{
    UNUSED(reader);
    const char *name = "SIGTERM";
    if (field_as_text(member, 32, &name) == FIELD_WRONG)
        return;
    int number = signal_number(name);
    if (number < 0)
        field_fault(member, FAULT_CHOICE, "there is no signal '%s'", name);
    else if (!signal_may_stop(number))
        field_fault(member, FAULT_CHOICE, "%s does not ask a program to end", name);
    else
        *(int *)at = number;
}

void read_autostop_on(struct spec_reader *reader, const struct field *member, void *at)
{
    UNUSED(reader);
    unsigned on = 0;
    if (!member->value)
        on = AUTOSTOP_ALWAYS;
    else if (field_as_array(member, OUTCOME_COUNT) == FIELD_READ && !field_count(member))
        field_fault(member, FAULT_RANGE, "must not be empty: say `autostop: false`");
    for (size_t i = 0; i < field_count(member); i++) {
        struct field item = field_item(member, i);
        const char *name = "null";
        if (field_as_text(&item, SIZE_MAX, &name) == FIELD_WRONG)
            continue;
        int outcome = outcome_from_name(name);
        if (outcome < 0)
            field_fault(&item, FAULT_CHOICE, "has to be succeeded, failed, stopped or timed_out");
        else if (on & AUTOSTOP_ON(outcome))
            field_fault(&item, FAULT_DUPLICATE, "'%s' stands here twice", name);
        else
            on |= AUTOSTOP_ON(outcome);
    }
    *(unsigned *)at = on;
}

static void check_autostop(const struct field *member, const struct autostop_spec *autostop)
{
    unsigned failures = AUTOSTOP_ON(OUTCOME_FAILED) | AUTOSTOP_ON(OUTCOME_TIMED_OUT);
    if (autostop->linger_ms && !(autostop->on & AUTOSTOP_ON(OUTCOME_SUCCEEDED)))
        field_fault_at(member, "linger", FAULT_CONFLICT, "`on` does not say succeeded: they would stay anyway");
    if (autostop->keep_on_failure_ms && !(autostop->on & failures))
        field_fault_at(member, "keep_on_failure", FAULT_CONFLICT,
                       "`on` says neither failed nor timed_out: they would stay anyway");
}

void read_autostop(struct spec_reader *reader, const struct field *member, void *at)
{
    struct autostop_spec *autostop = at;
    bool always = true;
    if (field_is_object(member)) {
        spec_read(reader, member, &autostop_table, autostop);
        check_autostop(member, autostop);
        return;
    }
    if (member->value && !json_object_is_type(member->value, json_type_boolean))
        field_fault(member, FAULT_TYPE, "has to be true, false or an object with on, linger and keep_on_failure");
    else
        field_as_boolean(member, &always);
    autostop->on = always ? AUTOSTOP_ALWAYS : 0;
}

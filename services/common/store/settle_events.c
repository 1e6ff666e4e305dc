// The events that a plan is worth, in the order in which they follow from each other.
#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/embedded.h"
#include "services/common/store/event_list.h"
#include "services/common/store/settle_batch.h"

#include <string.h>

static void add_stage_events(struct event_list *events, struct settle_entry *entry)
{
    for (size_t i = 0; i < entry->view.stage_count; i++) {
        const char *name = entry->view.stages[i].name;
        if (entry->plan.release_stages >> i & 1)
            event_list_add(events, entry->job, &entry->event_count, "stage.released", "{\"stage\":\"%s\"}", name);
        if (entry->plan.close_stages >> i & 1)
            event_list_add(events, entry->job, &entry->event_count, "stage.closed", "{\"stage\":\"%s\"}", name);
    }
}

static void add_start_events(struct event_list *events, struct settle_entry *entry)
{
    const struct settle_plan *plan = &entry->plan;
    if (plan->start_count > 0 && entry->view.instance_count == 0)
        event_list_add(events, entry->job, &entry->event_count, "job.starting", "{}");
    for (size_t i = 0; i < plan->start_count; i++)
        if (plan->starts[i].epoch > 1)
            event_list_add(events, entry->job, &entry->event_count, "service.restarting",
                           "{\"service\":\"%s\",\"epoch\":%d}", entry->view.services[plan->starts[i].service].name,
                           plan->starts[i].epoch);
    if (plan->sets_started)
        event_list_add(events, entry->job, &entry->event_count, "job.running", "{}");
}

static void add_stop_events(struct event_list *events, struct settle_entry *entry)
{
    for (size_t i = 0; i < entry->plan.stop_count; i++) {
        const struct settle_stop *stop = &entry->plan.stops[i];
        const char *name = entry->view.services[stop->service].name;
        if (stop->never_placed)
            event_list_add(events, entry->job, &entry->event_count, "service.verified",
                           "{\"service\":\"%s\",\"epoch\":%d,\"grade\":\"%s\"}", name, stop->epoch,
                           grade_name(GRADE_ABSENT));
        else
            event_list_add(events, entry->job, &entry->event_count, "service.stopping",
                           "{\"service\":\"%s\",\"epoch\":%d,\"reason\":\"%s\"}", name, stop->epoch, stop->reason);
    }
}

static void add_outcome_event(struct event_list *events, struct settle_entry *entry)
{
    const struct settle_plan *plan = &entry->plan;
    if (!plan->sets_outcome)
        return;
    AUTO_STRBUF struct strbuf data = STRBUF_INIT;
    strbuf_add_format(&data, "{\"outcome\":\"%s\",\"cleanup\":\"%s\"", outcome_name(plan->outcome),
                      cleanup_name(plan->cleanup));
    if (*plan->reason_code) {
        strbuf_add_format(&data, ",\"reason\":{\"code\":\"%s\",\"message\":", plan->reason_code);
        strbuf_add_json(&data, plan->reason_message, strlen(plan->reason_message));
        strbuf_add_char(&data, '}');
    }
    strbuf_add_char(&data, '}');
    event_list_add(events, entry->job, &entry->event_count, "job.outcome", "%s", strbuf_text(&data));
}

int settle_apply_events(struct settle_batch *batch, struct err *err)
{
    AUTO_EVENT_LIST struct event_list events = EVENT_LIST_INIT;
    for (size_t i = 0; i < batch->count; i++) {
        struct settle_entry *entry = &batch->entries[i];
        add_stage_events(&events, entry);
        add_start_events(&events, entry);
        add_outcome_event(&events, entry);
        add_stop_events(&events, entry);
        if (entry->plan.closes)
            event_list_add(&events, entry->job, &entry->event_count, "job.closed", "{\"cleanup\":\"%s\"}",
                           cleanup_name(entry->plan.cleanup));
    }
    return event_list_insert(&events, batch->db, err);
}

// Traces of closed jobs reach a collector, each at least once, whatever it answers and whoever is killed.
#include "services/reaper/trace_export.h"

#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/control.h"
#include "services/common/store/traces.h"
#include "tests/support/manager.h"
#include "tests/support/otlp_receiver.h"
#include "tests/support/pg.h"
#include "tests/support/process.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

static struct pg *pg;
static const char *database;
static struct db *db;
static struct otlp_receiver *receiver;
static struct trace_export *export;

static void begin(void)
{
    struct err err;
    const struct trace_export_settings settings = {
        .endpoint = otlp_receiver_url(receiver), .term_ms = 60000, .limit = 10};
    assert_ok(trace_export_new(&settings, db, &export, &err), err);
}

static int start(void **state)
{
    UNUSED(state);
    pg = pg_start(0);
    return 0;
}

static int stop(void **state)
{
    UNUSED(state);
    pg_stop(pg);
    return 0;
}

static int fresh(void **state)
{
    UNUSED(state);
    db = store_db_new(pg);
    receiver = otlp_receiver_start();
    begin();
    return 0;
}

static int done(void **state)
{
    UNUSED(state);
    trace_export_free(export);
    otlp_receiver_stop(receiver);
    db_close(db);
    return 0;
}

static int go_round(void)
{
    struct err err = {0};
    int outcome = trace_export_round(export, &err);
    if (outcome < 0)
        print_message("round: %s\n", err.text);
    return outcome;
}

static int64_t closed_job(const char *name)
{
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    int64_t job = store_submit(db, &(struct store_job){.name = name});
    assert_ok(control_stop(db, job, NULL, &wakes, &err), err);
    return job;
}

static struct json_object *span_named(struct json_object *spans, const char *name)
{
    for (size_t i = 0; i < json_object_array_length(spans); i++) {
        struct json_object *span = json_object_array_get_idx(spans, i);
        if (strcmp(json_text_at(span, "/name"), name) == 0)
            return span;
    }
    fail_msg("no span '%s' in %s", name, json_object_to_json_string(spans));
    return NULL;
}

static const char *attribute_of(struct json_object *thing, const char *key)
{
    struct json_object *attributes = json_at(thing, "/attributes");
    for (size_t i = 0; i < json_length_at(thing, "/attributes"); i++) {
        struct json_object *attribute = json_object_array_get_idx(attributes, i);
        if (strcmp(json_text_at(attribute, "/key"), key) != 0)
            continue;
        const char *text = json_text_at(attribute, "/value/stringValue");
        return *text ? text : json_text_at(attribute, "/value/intValue");
    }
    return "";
}

static bool takes_time(struct json_object *span)
{
    long long begins = atoll(json_text_at(span, "/startTimeUnixNano"));
    long long ends = atoll(json_text_at(span, "/endTimeUnixNano"));
    return begins > 1600000000000000000 && ends >= begins;
}

static void a_job_becomes_a_trace(void **state)
{
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    int64_t worker = store_worker(db, "w1");
    UNUSED(state);
    int64_t job =
        store_submit(db, &(struct store_job){.name = "traced",
                                             .stage_count = 1,
                                             .stages = {{.name = "count", .tasks = 5, .from = -1, .goes_on = true}},
                                             .service_count = 1,
                                             .services = {{.name = "cache"}}});
    store_sql(db, "UPDATE job SET traceparent = '00-" TRACE "-" SPAN "-01' WHERE id = %lld", (long long)job);
    store_place(db, job, worker);
    store_observe(db, job, "cache", INSTANCE_READY, NULL);
    store_claim(db, job, 0, 1, worker);
    store_report(db, job, 0, SLICE_FAILED, NULL);
    store_sql(db, "INSERT INTO task_error VALUES (%lld, 0, 0, 1, 'it broke', 3, clock_timestamp())", (long long)job);
    assert_int_equal(go_round(), 0); // it is not closed
    assert_ok(control_stop(db, job, NULL, &wakes, &err), err);
    store_observe(db, job, "cache", INSTANCE_VERIFIED, NULL);
    assert_int_equal(go_round(), 1);
    assert_int_equal(go_round(), 0);
    assert_int_equal(otlp_receiver_requests(receiver), 1);

    struct json_object *spans = otlp_receiver_spans(receiver, 0);
    char own[17];
    snprintf(own, sizeof own, "%016llx", (unsigned long long)job);
    struct json_object *root = span_named(spans, "traced"), *stage = span_named(spans, "count");
    struct json_object *service = span_named(spans, "cache");
    for (size_t i = 0; i < json_object_array_length(spans); i++) {
        struct json_object *span = json_object_array_get_idx(spans, i);
        assert_string_equal(json_text_at(span, "/traceId"), TRACE);
        assert_int_equal(strlen(json_text_at(span, "/spanId")), 16);
        assert_true(takes_time(span));
    }
    assert_string_equal(json_text_at(root, "/spanId"), own);
    assert_string_equal(json_text_at(root, "/parentSpanId"), SPAN);
    assert_string_equal(attribute_of(root, "curfew.outcome"), "stopped");
    assert_int_equal(json_number_at(root, "/status/code"), 2);
    assert_string_equal(json_text_at(stage, "/parentSpanId"), own);
    assert_string_equal(attribute_of(stage, "curfew.tasks"), "5");
    assert_string_equal(attribute_of(stage, "curfew.failed"), "1");
    assert_string_equal(json_text_at(stage, "/events/0/name"), "task failed");
    assert_string_equal(attribute_of(json_at(stage, "/events/0"), "curfew.error"), "it broke");
    assert_string_equal(json_text_at(service, "/parentSpanId"), own);
    assert_string_equal(attribute_of(service, "curfew.worker"), "w1");
    assert_string_equal(attribute_of(service, "curfew.epoch"), "1");
    assert_int_equal(json_number_at(service, "/status/code"), 1);
}

static void a_job_without_a_parent_has_a_trace_of_its_own(void **state)
{
    UNUSED(state);
    closed_job("one");
    closed_job("two");
    assert_int_equal(go_round(), 2);
    struct json_object *one = span_named(otlp_receiver_spans(receiver, 0), "one");
    struct json_object *two = span_named(otlp_receiver_spans(receiver, 1), "two");
    assert_int_equal(strlen(json_text_at(one, "/traceId")), 32);
    assert_string_not_equal(json_text_at(one, "/traceId"), json_text_at(two, "/traceId"));
    assert_string_equal(json_text_at(one, "/parentSpanId"), "");
}

static void what_is_not_sampled_is_not_exported(void **state)
{
    UNUSED(state);
    int64_t job = store_submit(db, &(struct store_job){.name = "quiet"});
    store_sql(db,
              "UPDATE job SET traceparent = '00-" TRACE "-" SPAN "-00', closed_at = clock_timestamp(), outcome = 0, "
              "finished_at = clock_timestamp() WHERE id = %lld",
              (long long)job);
    assert_int_equal(go_round(), 0);
    assert_int_equal(otlp_receiver_requests(receiver), 0);
}

// It is tried until the collector takes it, by the next exporter too; then never again.
static void a_collector_may_be_away(void **state)
{
    UNUSED(state);
    static const int statuses[] = {503, 429, 404};
    closed_job("waits");
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        otlp_receiver_answer(receiver, statuses[i]);
        assert_int_equal(go_round(), -1);
    }
    trace_export_free(export);
    begin();
    otlp_receiver_answer(receiver, 200);
    assert_int_equal(go_round(), 1);
    trace_export_free(export);
    begin();
    assert_int_equal(go_round(), 0);
    assert_int_equal(otlp_receiver_kept(receiver), 1);
}

static void what_is_refused_for_good_holds_up_nothing(void **state)
{
    UNUSED(state);
    closed_job("wrong");
    otlp_receiver_answer(receiver, 400);
    assert_int_equal(go_round(), 1);
    otlp_receiver_answer(receiver, 200);
    closed_job("right");
    assert_int_equal(go_round(), 1);
    assert_non_null(span_named(otlp_receiver_spans(receiver, 0), "right"));
}

// A transaction that took long shows a job that was closed before others that were exported.
static void a_late_commit_is_not_missed(void **state)
{
    UNUSED(state);
    int64_t late = closed_job("late");
    store_sql(db, "UPDATE job SET closed_at = NULL WHERE id = %lld", (long long)late);
    closed_job("early");
    assert_int_equal(go_round(), 1);
    assert_int_equal(go_round(), 0);
    store_sql(
        db,
        "UPDATE job SET closed_at = clock_timestamp() WHERE id = %lld; UPDATE setting SET value = ((value::bigint - "
        "60000000)::text) WHERE name = 'trace_through'; UPDATE job SET closed_at = closed_at - interval '30 "
        "seconds' WHERE id = %lld",
        (long long)late, (long long)late);
    assert_int_equal(go_round(), 1);
    assert_int_equal(otlp_receiver_kept(receiver), 2);
}

static void what_is_gone_has_no_trace(void **state)
{
    struct err err = {0};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    UNUSED(state);
    int64_t open = store_submit(db, &(struct store_job){.name = "open"});
    assert_error(traces_read(db, 4711, &out, &err), err, ERR_NOT_FOUND, "does not exist");
    assert_error(traces_read(db, open, &out, &err), err, ERR_NOT_FOUND, "does not exist");
    assert_ok(traces_done(db, 4711, &err), err);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM trace_exported"), 0);
}

static bool has_come(void *context)
{
    return otlp_receiver_kept(context) > 0;
}

static void a_reaper_does_it(void **state)
{
    UNUSED(state);
    database = pg_database_new(pg);
    AUTO_DB struct db *other = store_db_again(database);
    const char *const arguments[] = {program_path("curfew-reaper"),
                                     "--database-url",
                                     database,
                                     "--otlp-endpoint",
                                     otlp_receiver_url(receiver),
                                     NULL};
    struct process *reaper = process_start(arguments, NULL);
    struct db *first = db;
    db = other;
    bool exports = false;
    for (int i = 0; !exports && i < 120; i++) { // what was closed before it began is not exported
        closed_job("by the program");
        exports = wait_until(has_come, receiver, 500);
    }
    db = first;
    assert_true(exports);
    process_signal(reaper, SIGTERM);
    assert_int_equal(process_wait(reaper, 60000), 0);
    process_free(reaper);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fresh, done)
    const struct CMUnitTest tests[] = {
        TEST(a_job_becomes_a_trace),
        TEST(a_job_without_a_parent_has_a_trace_of_its_own),
        TEST(what_is_not_sampled_is_not_exported),
        TEST(a_collector_may_be_away),
        TEST(what_is_refused_for_good_holds_up_nothing),
        TEST(a_late_commit_is_not_missed),
        TEST(what_is_gone_has_no_trace),
        TEST(a_reaper_does_it),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

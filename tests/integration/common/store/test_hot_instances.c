// Instances through the hot calls: placed, observed, stopped, looked at again; and what tasks are told of them.
#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/control.h"
#include "tests/support/hot_lane.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

static struct hot_worker worker;

#define JOB                                                                                                    \
    "{'name': 'a', 'command': ['x'], 'tasks': {'count': 5}, 'services': [{'name': 'cache', 'command': ['c'], " \
    "'ports': [{'name': 'main'}]}, {'name': 'front', 'command': ['f'], 'depends_on': ['cache']}]}"

static int setup(void **state)
{
    hot_test_setup(state);
    worker = hot_worker_new(lane.db, "w");
    return 0;
}

// A poll that takes up to `services` instances and one task; to be released.
static struct work_operation poll_services(struct hot_worker by, int services)
{
    static const struct queue_want one = {"default", 1};
    struct work_operation poll = hot_poll(by, &one);
    poll.want_services = services;
    hot_lane_work(&lane, &poll);
    hot_check(&lane);
    return poll;
}

static struct instance_observation said(int64_t job, const char *service, int state)
{
    return (struct instance_observation){
        .job = job, .service = service, .epoch = 1, .state = state, .exit_code = -1, .exit_signal = -1, .grade = -1};
}

static void observe_all(struct hot_worker by, const struct instance_observation *observations, size_t count)
{
    struct work_operation work = {
        .worker = by.id, .incarnation = by.incarnation, .observations = observations, .observation_count = count};
    hot_lane_work(&lane, &work);
    work_operation_release(&work);
    hot_check(&lane);
}

static void observe(int64_t job, const char *service, int state)
{
    struct instance_observation observation = said(job, service, state);
    observe_all(worker, &observation, 1);
}

static void observe_error(int64_t job, const char *service, int state, const char *error)
{
    struct instance_observation observation = said(job, service, state);
    observation.error = error;
    observe_all(worker, &observation, 1);
}

static int64_t of_instance(const char *service, const char *what)
{
    return store_sql(lane.db, "SELECT (%s)::bigint FROM instance WHERE name = '%s' ORDER BY epoch DESC LIMIT 1", what,
                     service);
}

static void make_ready(int64_t job, const char *service, int port)
{
    char ports[32];
    snprintf(ports, sizeof ports, "{\"main\":%d}", port);
    struct instance_observation ready = said(job, service, INSTANCE_READY);
    ready.host = "host1";
    ready.ports = ports;
    observe(job, service, INSTANCE_STARTING);
    observe_all(worker, &ready, 1);
}

// From the first start to the first task, which is told of both; *granted was given it, and is to be released.
static void bring_up(int64_t job, struct work_operation *granted)
{
    struct work_operation poll = poll_services(worker, 0);
    assert_int_equal(poll.start_count, 0);
    work_operation_release(&poll);
    poll = poll_services(worker, 5);
    assert_int_equal(poll.start_count, 1); // front waits for cache
    assert_int_equal(poll.grant_count, 0);
    const struct instance_order *start = &poll.starts[0];
    assert_true(start->job == job && start->epoch == 1);
    assert_string_equal(start->service, "cache");
    assert_non_null(strstr(start->run, "\"main\""));
    assert_non_null(strstr(start->object, ".cache.1"));
    assert_int_equal(strncmp(start->object, "curfew-", 7), 0);
    assert_string_equal(start->services, "[]");
    assert_int_equal(of_instance("cache", "state"), INSTANCE_PLACING);
    assert_int_equal(of_instance("cache", "(ready_by > placed_at AND runtime = 'process')::int"), 1);
    assert_int_equal(store_sql(lane.db, "SELECT (attention_at = (SELECT ready_by FROM instance))::int FROM job"), 1);
    work_operation_release(&poll);
    poll = poll_services(worker, 5); // not acknowledged
    assert_int_equal(poll.start_count, 1);
    work_operation_release(&poll);

    make_ready(job, "cache", 4711);
    poll = poll_services(worker, 5);
    assert_int_equal(poll.start_count, 1);
    assert_string_equal(poll.starts[0].service, "front");
    assert_string_equal(poll.starts[0].services, "[{\"name\":\"cache\",\"host\":\"host1\",\"ports\":{\"main\":4711}}]");
    work_operation_release(&poll);
    make_ready(job, "front", 4712);
    assert_int_equal(store_sql(lane.db, "SELECT phase FROM job"), PHASE_RELEASED);
    poll = poll_services(worker, 5);
    assert_int_equal(poll.start_count, 0);
    assert_int_equal(poll.grant_count, 1);
    assert_string_equal(poll.grants[0].services, "[{\"name\":\"cache\",\"host\":\"host1\",\"ports\":{\"main\":4711}},"
                                                 "{\"name\":\"front\",\"host\":\"host1\",\"ports\":{\"main\":4712}}]");
    *granted = poll;
}

static void services_live_and_go_with_their_job(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct work_operation poll;
    int64_t job = hot_lane_submit(&lane, JOB);
    bring_up(job, &poll);
    assert_ok(control_stop(lane.db, job, NULL, &lane.wakes, &err), err);
    struct slice_result result = hot_success(&poll.grants[0]);
    struct work_operation report = {
        .worker = worker.id, .incarnation = worker.incarnation, .results = &result, .result_count = 1};
    hot_lane_work(&lane, &report); // the last task: now the services have to go, in reverse order
    work_operation_release(&report);
    work_operation_release(&poll);

    poll = poll_services(worker, 5);
    assert_int_equal(poll.stop_count, 1);
    assert_string_equal(poll.stops[0].service, "front");
    assert_string_equal(poll.stops[0].reason, "stopped");
    work_operation_release(&poll);
    struct instance_observation stopped = said(job, "front", INSTANCE_STOPPED);
    stopped.exit_signal = 15;
    stopped.grade = GRADE_EXIT;
    stopped.signals = "[{\"signal\":\"SIGTERM\",\"at\":\"now\"}]";
    observe_all(worker, &stopped, 1);
    poll = poll_services(worker, 5);
    assert_int_equal(poll.verify_count, 1);
    assert_string_equal(poll.verifies[0].service, "front");
    assert_int_equal(poll.stop_count, 0); // cache is needed until front is seen to be gone
    work_operation_release(&poll);
    observe(job, "front", INSTANCE_VERIFIED);
    assert_int_equal(of_instance("front", "grade"), GRADE_EXIT);
    poll = poll_services(worker, 5);
    assert_int_equal(poll.stop_count, 1);
    assert_string_equal(poll.stops[0].service, "cache");
    work_operation_release(&poll);
    observe(job, "cache", INSTANCE_KILLING);
    observe(job, "cache", INSTANCE_STOPPED);
    observe(job, "cache", INSTANCE_VERIFIED);
    assert_int_equal(store_sql(lane.db, "SELECT cleanup FROM job WHERE closed_at IS NOT NULL"), CLEANUP_CLEAN);
    AUTO_FREE char *events =
        store_sql_text(lane.db, "SELECT string_agg(kind, ' ' ORDER BY seq) FROM event WHERE kind LIKE "
                                "'service.%%' AND data LIKE '%%cache%%'");
    assert_string_equal(events, "service.placing service.starting service.ready service.stopping service.killing "
                                "service.stopped service.verified");
}

static void a_death_that_nobody_asked_for_fails_the_job(void **state)
{
    UNUSED(state);
    int64_t job = hot_lane_submit(&lane, JOB);
    struct work_operation poll = poll_services(worker, 1);
    work_operation_release(&poll);
    make_ready(job, "cache", 1);
    struct instance_observation failed = said(job, "cache", INSTANCE_STOPPED);
    failed.exit_code = 3;
    failed.error = "it \"broke\"";
    observe_all(worker, &failed, 1);
    assert_int_equal(of_instance("cache", "state"), INSTANCE_FAILED);
    assert_int_equal(of_instance("cache", "failed::int"), 1);
    assert_int_equal(of_instance("cache", "exit_code"), 3);
    assert_int_equal(store_sql(lane.db, "SELECT outcome FROM job"), OUTCOME_FAILED);
    assert_int_equal(store_sql(lane.db,
                               "SELECT count(*) FROM event WHERE kind = 'service.failed' AND data::jsonb = "
                               "format('{\"service\": \"cache\", \"epoch\": 1, \"worker\": %%s, \"error\": \"it "
                               "\\\"broke\\\"\", \"exit\": {\"code\": 3, \"signal\": null}}', %lld)::jsonb",
                               (long long)worker.id),
                     1);
}

static void several_observations_of_one_instance_count_in_order(void **state)
{
    UNUSED(state);
    int64_t job = hot_lane_submit(&lane, JOB);
    struct work_operation poll = poll_services(worker, 1);
    work_operation_release(&poll);
    struct instance_observation life[] = {
        said(job, "cache", INSTANCE_STARTING), said(job, "cache", INSTANCE_READY),
        said(job, "cache", INSTANCE_STARTING), said(job, "cache", INSTANCE_FAILED),
        said(job, "nothing", INSTANCE_READY),  said(job + 1, "cache", INSTANCE_READY)};
    life[1].host = "h";
    life[3].error = "gone";
    observe_all(worker, life, 6);
    assert_int_equal(of_instance("cache", "state"), INSTANCE_FAILED);
    assert_int_equal(of_instance("cache", "(host = 'h' AND error = 'gone')::int"), 1);
    assert_int_equal(store_sql(lane.db,
                               "SELECT count(*) FROM event WHERE kind IN ('service.starting', 'service.ready', "
                               "'service.failed')"),
                     3);
    observe_all(worker, life, 6); // the reply was lost
    assert_int_equal(store_sql(lane.db,
                               "SELECT count(*) FROM event WHERE kind IN ('service.starting', 'service.ready', "
                               "'service.failed')"),
                     3);
}

// Why it waits may change while its state does not, and go.
static void what_is_wrong_is_known_while_it_is(void **state)
{
    UNUSED(state);
    int64_t job = hot_lane_submit(&lane, JOB);
    struct work_operation poll = poll_services(worker, 1);
    work_operation_release(&poll);
    make_ready(job, "cache", 1);
    int64_t events = store_sql(lane.db, "SELECT count(*) FROM event");
    struct instance_observation said_again = said(job, "cache", INSTANCE_READY);
    static const char *const errors[] = {"no engine", NULL, ""};
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) { // NULL: not said
        said_again.error = errors[i];
        observe_all(worker, &said_again, 1);
        const char *kept = i < 2 ? "(error = 'no engine')::int" : "(error IS NULL)::int";
        assert_int_equal(of_instance("cache", kept), 1);
        assert_int_equal(of_instance("cache", "state"), INSTANCE_READY);
    }
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM event"), events);
    said_again.state = INSTANCE_UNHEALTHY;
    said_again.error = "refused";
    observe_all(worker, &said_again, 1);
    said_again.state = INSTANCE_STARTING; // behind what is known
    said_again.error = "late";
    observe_all(worker, &said_again, 1);
    assert_int_equal(of_instance("cache", "(error = 'refused')::int"), 1);
}

static void only_its_own_worker_speaks_for_an_instance(void **state)
{
    UNUSED(state);
    int64_t job = hot_lane_submit(&lane, JOB);
    struct hot_worker other = hot_worker_new(lane.db, "v");
    struct work_operation poll = poll_services(worker, 1);
    work_operation_release(&poll);
    struct instance_observation failed = said(job, "cache", INSTANCE_FAILED);
    observe_all(other, &failed, 1);
    assert_int_equal(of_instance("cache", "state"), INSTANCE_PLACING);
    failed.epoch = 2;
    observe_all(worker, &failed, 1);
    assert_int_equal(of_instance("cache", "state"), INSTANCE_PLACING);
}

static void who_cannot_stop_something_is_quarantined(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int64_t job = hot_lane_submit(&lane, JOB);
    struct work_operation poll = poll_services(worker, 1);
    work_operation_release(&poll);
    make_ready(job, "cache", 1);
    assert_ok(control_stop(lane.db, job, NULL, &lane.wakes, &err), err);
    observe(job, "cache", INSTANCE_STUCK);
    assert_int_equal(of_instance("cache", "state"), INSTANCE_STUCK);
    assert_int_equal(store_sql(lane.db, "SELECT state FROM worker"), WORKER_QUARANTINED);
    assert_int_equal(store_sql(lane.db, "SELECT cleanup FROM job"), CLEANUP_STUCK);
    observe_error(job, "cache", INSTANCE_STUCK, "process 7: kill -9 7");
    assert_int_equal(of_instance("cache", "(error = 'process 7: kill -9 7')::int"), 1);
    hot_lane_submit(&lane, JOB);
    poll = poll_services(worker, 5);
    assert_int_equal(poll.start_count + poll.grant_count, 0);
    assert_int_equal(poll.stop_count, 1); // it goes on trying
    work_operation_release(&poll);
    observe(job, "cache", INSTANCE_STOPPED);
    observe(job, "cache", INSTANCE_VERIFIED);
    assert_int_equal(store_sql(lane.db, "SELECT cleanup FROM job WHERE id = %lld", (long long)job), CLEANUP_CLEAN);
    store_sql(lane.db, "UPDATE worker SET lease_until = clock_timestamp() + interval '20 s'"); // time for a heartbeat
    poll = poll_services(worker, 5);
    assert_int_equal(store_sql(lane.db, "SELECT state FROM worker WHERE note IS NULL"), WORKER_READY);
    assert_int_equal(poll.start_count, 1);
    work_operation_release(&poll);
}

// As many as each poll has room for; the others wait.
static void instances_are_placed_where_there_is_room(void **state)
{
    UNUSED(state);
    struct hot_worker other = hot_worker_new(lane.db, "v");
    for (int i = 0; i < 4; i++)
        hot_lane_submit(&lane, JOB);
    store_sql(lane.db, "UPDATE instance SET not_before = clock_timestamp() + interval '1 hour' WHERE job = (SELECT "
                       "max(id) FROM job)");
    struct work_operation first = hot_poll(worker, NULL), second = hot_poll(other, NULL), *works[] = {&first, &second};
    first.want_services = 1;
    second.want_services = 1;
    hot_lane_run(&lane, works, 2);
    assert_int_equal(first.start_count, 1);
    assert_int_equal(second.start_count, 1);
    assert_true(first.starts[0].job != second.starts[0].job);
    work_operation_release(&first);
    work_operation_release(&second);
    first = poll_services(worker, 5);
    assert_int_equal(first.start_count, 2);
    work_operation_release(&first);
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM instance WHERE state = 0"), 1);
}

static void a_pending_instance_of_a_stopped_job_is_not_placed(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int64_t job = hot_lane_submit(&lane, JOB);
    assert_ok(control_stop(lane.db, job, NULL, &lane.wakes, &err), err);
    struct work_operation poll = poll_services(worker, 5);
    assert_int_equal(poll.start_count + poll.stop_count, 0);
    work_operation_release(&poll);
    assert_int_equal(store_sql(lane.db, "SELECT (closed_at IS NOT NULL)::int FROM job"), 1);
}

// The pull of its image does not count: the time in which it has to become ready begins when its container runs.
static void a_container_has_its_time_from_when_it_runs(void **state)
{
    UNUSED(state);
    store_sql(lane.db, "UPDATE worker SET runtimes = '{process,docker}'");
    int64_t job = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'services': [{'name': 'cache', 'image': 'i', "
                                         "'ready': {'exec': ['true'], 'deadline': '20s'}}]}");
    struct work_operation poll = poll_services(worker, 5);
    assert_int_equal(poll.start_count, 1);
    work_operation_release(&poll);
    observe(job, "cache", INSTANCE_STARTING);
    assert_int_equal(of_instance("cache", "(ready_by > clock_timestamp() + interval '59 minutes')::int"), 1);
    struct instance_observation runs = said(job, "cache", INSTANCE_STARTING);
    runs.object = "0123";
    runs.boundary = "container";
    for (int i = 0; i < 2; i++) {
        observe_all(worker, &runs, 1);
        assert_int_equal(of_instance("cache", "(ready_by < clock_timestamp() + interval '20 s')::int"), 1);
        assert_int_equal(store_sql(lane.db, "SELECT (attention_at = (SELECT ready_by FROM instance))::int FROM job"),
                         1);
    }
    store_sql(lane.db, "UPDATE instance SET ready_by = ready_by - interval '1 minute'");
    observe_all(worker, &runs, 1); // said again it does not begin anew
    assert_int_equal(of_instance("cache", "(ready_by < clock_timestamp())::int"), 1);
}

#define test(function) cmocka_unit_test_setup_teardown(function, setup, hot_test_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(services_live_and_go_with_their_job),
        test(a_death_that_nobody_asked_for_fails_the_job),
        test(several_observations_of_one_instance_count_in_order),
        test(what_is_wrong_is_known_while_it_is),
        test(only_its_own_worker_speaks_for_an_instance),
        test(who_cannot_stop_something_is_quarantined),
        test(instances_are_placed_where_there_is_room),
        test(a_container_has_its_time_from_when_it_runs),
        test(a_pending_instance_of_a_stopped_job_is_not_placed),
    };
    return cmocka_run_group_tests(tests, hot_group_setup, hot_group_teardown);
}

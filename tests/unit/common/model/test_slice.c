#include "services/common/model/slice.h"

#include "services/common/model/states.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

static const struct slice_policy policy = {.retries_max = 2, .backoff_ms = 100, .backoff_max_ms = 1000};

static int partition(const struct slice_report *report, struct slice_part *parts, size_t capacity, struct err *err)
{
    return slice_partition(report, &policy, parts, capacity, err);
}

static void assert_part(const struct slice_part *part, int64_t from, int64_t to, int state, int attempt, int failures)
{
    assert_int_equal(part->range.from, from);
    assert_int_equal(part->range.to, to);
    assert_int_equal(part->state, state);
    assert_int_equal(part->attempt, attempt);
    assert_int_equal(part->failures, failures);
}

static void a_whole_success_is_one_part(void **state)
{
    UNUSED(state);
    struct slice_range all[] = {{10, 12}, {12, 20}};
    struct slice_report report = {
        .leased = {10, 20}, .attempt = 1, .succeeded = all, .succeeded_count = ARRAY_LEN(all)};
    struct slice_part parts[5];
    struct err err;
    assert_int_equal(partition(&report, parts, ARRAY_LEN(parts), &err), 1);
    assert_part(&parts[0], 10, 20, SLICE_SUCCEEDED, 1, 0);
    assert_int_equal(parts[0].position, -1);
}

static void what_is_not_named_was_not_started(void **state)
{
    UNUSED(state);
    struct slice_range some[] = {{2, 4}};
    struct slice_report report = {
        .leased = {0, 10}, .attempt = 3, .failures = 1, .succeeded = some, .succeeded_count = 1};
    struct slice_part parts[3];
    struct err err;
    assert_int_equal(partition(&report, parts, ARRAY_LEN(parts), &err), 3);
    assert_part(&parts[0], 0, 2, SLICE_READY, 2, 1);
    assert_part(&parts[1], 2, 4, SLICE_SUCCEEDED, 3, 1);
    assert_part(&parts[2], 4, 10, SLICE_READY, 2, 1);
}

static void an_empty_report_gives_the_slice_back(void **state)
{
    UNUSED(state);
    struct slice_report report = {.leased = {5, 6}, .attempt = 1};
    struct slice_part part;
    struct err err;
    assert_int_equal(partition(&report, &part, 1, &err), 1);
    assert_part(&part, 5, 6, SLICE_READY, 0, 0);
}

static void failures_wait_longer_each_time_and_end(void **state)
{
    UNUSED(state);
    struct slice_failure failed[] = {{.task = 7, .retry = SLICE_RETRY_COUNTED, .position = 4}};
    struct slice_part parts[3];
    struct err err;
    for (int failures = 0; failures < 3; failures++) {
        struct slice_report report = {
            .leased = {7, 8}, .attempt = failures + 1, .failures = failures, .failed = failed, .failed_count = 1};
        assert_int_equal(partition(&report, parts, ARRAY_LEN(parts), &err), 1);
        assert_part(&parts[0], 7, 8, failures < 2 ? SLICE_DELAYED : SLICE_FAILED, failures + 1, failures + 1);
        assert_int_equal(parts[0].delay_ms, failures < 2 ? 100 << failures : 0);
        assert_int_equal(parts[0].position, 4);
    }
}

static void failures_that_do_not_count_go_on_for_ever(void **state)
{
    UNUSED(state);
    struct slice_failure failed[] = {{.task = 0, .retry = SLICE_RETRY_UNCOUNTED}};
    struct slice_report report = {.leased = {0, 1}, .attempt = 100, .failures = 2, .failed = failed, .failed_count = 1};
    struct slice_part part;
    struct err err;
    assert_int_equal(partition(&report, &part, 1, &err), 1);
    assert_part(&part, 0, 1, SLICE_DELAYED, 100, 2);
    assert_int_equal(part.delay_ms, 1000);
}

static void a_failure_may_forbid_another_attempt(void **state)
{
    UNUSED(state);
    struct slice_failure failed[] = {{.task = 0, .retry = SLICE_RETRY_NEVER}};
    struct slice_report report = {.leased = {0, 1}, .attempt = 1, .failed = failed, .failed_count = 1};
    struct slice_part part;
    struct err err;
    assert_int_equal(partition(&report, &part, 1, &err), 1);
    assert_part(&part, 0, 1, SLICE_FAILED, 1, 1);
}

static void neighbouring_failures_stay_apart(void **state)
{
    UNUSED(state);
    struct slice_failure failed[] = {{.task = 0}, {.task = 1}, {.task = 3}};
    struct slice_range some[] = {{2, 3}};
    struct slice_report report = {
        .leased = {0, 4}, .attempt = 1, .succeeded = some, .succeeded_count = 1, .failed = failed, .failed_count = 3};
    struct slice_part parts[9];
    struct err err;
    assert_int_equal(partition(&report, parts, ARRAY_LEN(parts), &err), 4);
    for (int i = 0; i < 4; i++)
        assert_part(&parts[i], i, i + 1, i == 2 ? SLICE_SUCCEEDED : SLICE_DELAYED, 1, i == 2 ? 0 : 1);
}

static void assert_refused(const struct slice_range *succeeded, size_t succeeded_count,
                           const struct slice_failure *failed, size_t failed_count)
{
    struct slice_report report = {.leased = {10, 20},
                                  .attempt = 1,
                                  .succeeded = succeeded,
                                  .succeeded_count = succeeded_count,
                                  .failed = failed,
                                  .failed_count = failed_count};
    struct slice_part parts[16];
    struct err err;
    assert_int_equal(partition(&report, parts, ARRAY_LEN(parts), &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
}

static void nonsense_is_refused(void **state)
{
    UNUSED(state);
    assert_refused((struct slice_range[]){{10, 10}}, 1, NULL, 0);
    assert_refused((struct slice_range[]){{12, 11}}, 1, NULL, 0);
    assert_refused((struct slice_range[]){{9, 11}}, 1, NULL, 0);
    assert_refused((struct slice_range[]){{19, 21}}, 1, NULL, 0);
    assert_refused((struct slice_range[]){{INT64_MIN, INT64_MAX}}, 1, NULL, 0);
    assert_refused((struct slice_range[]){{14, 16}, {12, 13}}, 2, NULL, 0);
    assert_refused((struct slice_range[]){{12, 15}, {14, 16}}, 2, NULL, 0);
    assert_refused(NULL, 0, (struct slice_failure[]){{.task = 9}}, 1);
    assert_refused(NULL, 0, (struct slice_failure[]){{.task = 20}}, 1);
    assert_refused(NULL, 0, (struct slice_failure[]){{.task = 12}, {.task = 12}}, 2);
    assert_refused(NULL, 0, (struct slice_failure[]){{.task = 13}, {.task = 12}}, 2);
    assert_refused((struct slice_range[]){{12, 15}}, 1, (struct slice_failure[]){{.task = 12}}, 1);
    assert_refused((struct slice_range[]){{12, 15}}, 1, (struct slice_failure[]){{.task = 14}}, 1);
}

static void too_little_room_is_noticed(void **state)
{
    UNUSED(state);
    struct slice_range some[] = {{2, 4}};
    struct slice_report report = {.leased = {0, 10}, .attempt = 1, .succeeded = some, .succeeded_count = 1};
    struct slice_part parts[2];
    struct err err;
    assert_int_equal(partition(&report, parts, ARRAY_LEN(parts), &err), -1);
    assert_int_equal(err.code, ERR_INTERNAL);
}

static void ranges_merge_when_they_touch(void **state)
{
    UNUSED(state);
    struct slice_range ranges[] = {{8, 9}, {0, 3}, {3, 5}, {20, 30}, {4, 7}, {22, 25}};
    assert_int_equal(slice_merge_ranges(ranges, ARRAY_LEN(ranges)), 3);
    assert_int_equal(ranges[0].from, 0);
    assert_int_equal(ranges[0].to, 7);
    assert_int_equal(ranges[1].from, 8);
    assert_int_equal(ranges[1].to, 9);
    assert_int_equal(ranges[2].from, 20);
    assert_int_equal(ranges[2].to, 30);
    assert_int_equal(slice_merge_ranges(ranges, 0), 0);
}

static void a_new_stage_has_about_a_thousand_slices_at_most(void **state)
{
    UNUSED(state);
    assert_int_equal(slice_initial_width(0), 10000);
    assert_int_equal(slice_initial_width(1), 10000);
    assert_int_equal(slice_initial_width(1000000), 10000);
    assert_int_equal(slice_initial_width(10240000), 10000);
    assert_int_equal(slice_initial_width(10240001), 10001);
    assert_int_equal(slice_initial_width(1000000000), 976563);
    assert_true(slice_initial_width(INT64_MAX) > 0);
}

// ---- random lives against a model with a record per task

#define TASKS 200
#define LIVES 300

struct task {
    int state; // of its slice
    int attempt, failures;
    int successes;
};

// What happens to one task in a report.
enum fate { FATE_UNNAMED, FATE_SUCCEEDS, FATE_FAILS, FATE_ASKS_AGAIN, FATE_GIVES_UP, FATE_COUNT };

struct life {
    struct task tasks[TASKS];
    struct slice_part slices[TASKS]; // the partition, in rising order
    size_t slice_count;
};

static int random_below(int limit)
{
    return (int)(random() % limit);
}

static void put_slice(struct life *life, size_t index, size_t removed, const struct slice_part *parts, size_t count)
{
    assert_true(life->slice_count - removed + count <= TASKS);
    memmove(&life->slices[index + count], &life->slices[index + removed],
            (life->slice_count - index - removed) * sizeof *parts);
    memcpy(&life->slices[index], parts, count * sizeof *parts);
    life->slice_count += count - removed;
}

// A ready (or by now due) slice is claimed: some tasks from its beginning are leased.
static void claim(struct life *life, size_t index)
{
    struct slice_part slice = life->slices[index];
    int64_t count = 1 + random_below((int)(slice.range.to - slice.range.from));
    struct slice_part cut[2] = {slice, slice};
    cut[0].state = SLICE_LEASED;
    cut[0].attempt++;
    cut[0].range.to = cut[1].range.from = slice.range.from + count;
    put_slice(life, index, 1, cut, cut[0].range.to == slice.range.to ? 1 : 2);
    for (int64_t task = cut[0].range.from; task < cut[0].range.to; task++)
        life->tasks[task].attempt++;
}

static void apply_fate(struct task *task, enum fate fate)
{
    switch (fate) {
    case FATE_UNNAMED:
        task->state = SLICE_READY;
        task->attempt--;
        break;
    case FATE_SUCCEEDS:
        task->state = SLICE_SUCCEEDED;
        task->successes++;
        break;
    case FATE_FAILS:
        task->failures++;
        task->state = task->failures > policy.retries_max ? SLICE_FAILED : SLICE_DELAYED;
        break;
    case FATE_ASKS_AGAIN:
        task->state = SLICE_DELAYED;
        break;
    case FATE_GIVES_UP:
    case FATE_COUNT:
        task->failures++;
        task->state = SLICE_FAILED;
        break;
    }
}

static const enum slice_retry retry_of[FATE_COUNT] = {
    [FATE_FAILS] = SLICE_RETRY_COUNTED,
    [FATE_ASKS_AGAIN] = SLICE_RETRY_UNCOUNTED,
    [FATE_GIVES_UP] = SLICE_RETRY_NEVER,
};

static void report(struct life *life, size_t index)
{
    struct slice_part slice = life->slices[index];
    struct slice_range succeeded[TASKS];
    struct slice_failure failed[TASKS];
    struct slice_part parts[2 * TASKS + 1];
    struct slice_report said = {.leased = slice.range,
                                .attempt = slice.attempt,
                                .failures = slice.failures,
                                .succeeded = succeeded,
                                .failed = failed};
    for (int64_t task = slice.range.from; task < slice.range.to; task++) {
        enum fate fate = random_below(3) ? FATE_SUCCEEDS : (enum fate)random_below(FATE_COUNT);
        apply_fate(&life->tasks[task], fate);
        if (fate == FATE_SUCCEEDS)
            succeeded[said.succeeded_count++] = (struct slice_range){task, task + 1};
        else if (fate != FATE_UNNAMED)
            failed[said.failed_count++] = (struct slice_failure){task, retry_of[fate], task};
    }
    struct err err;
    int count = slice_partition(&said, &policy, parts, 2 * (said.succeeded_count + said.failed_count) + 1, &err);
    assert_true(count > 0);
    put_slice(life, index, 1, parts, (size_t)count);
}

// The partition covers all tasks and says of each what the model says.
static void compare_with_model(const struct life *life)
{
    int64_t next = 0;
    for (size_t i = 0; i < life->slice_count; i++) {
        const struct slice_part *slice = &life->slices[i];
        assert_int_equal(slice->range.from, next);
        assert_true(slice->range.to > slice->range.from);
        for (next = slice->range.from; next < slice->range.to; next++) {
            const struct task *task = &life->tasks[next];
            assert_int_equal(slice->attempt, slice->state == SLICE_SUCCEEDED ? slice->attempt : task->attempt);
            assert_int_equal(slice->failures, slice->state == SLICE_SUCCEEDED ? slice->failures : task->failures);
            if (slice->state != SLICE_LEASED)
                assert_int_equal(slice->state, task->state);
        }
    }
    assert_int_equal(next, TASKS);
}

static bool step(struct life *life)
{
    size_t open[TASKS];
    int count = 0;
    for (size_t i = 0; i < life->slice_count; i++)
        if (life->slices[i].state != SLICE_SUCCEEDED && life->slices[i].state != SLICE_FAILED)
            open[count++] = i;
    if (count == 0)
        return false;
    size_t index = open[random_below(count)];
    if (life->slices[index].state == SLICE_LEASED)
        report(life, index);
    else
        claim(life, index);
    return true;
}

static void random_lives_keep_every_task(void **state)
{
    UNUSED(state);
    srandom(20260131);
    for (int i = 0; i < LIVES; i++) {
        struct life life = {.slices = {{.range = {0, TASKS}, .state = SLICE_READY, .position = -1}}, .slice_count = 1};
        for (int64_t task = 0; task < TASKS; task++)
            life.tasks[task].state = SLICE_READY;
        while (step(&life))
            compare_with_model(&life);
        for (int64_t task = 0; task < TASKS; task++)
            assert_int_equal(life.tasks[task].successes, life.tasks[task].state == SLICE_SUCCEEDED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_success_is_one_part),
        cmocka_unit_test(what_is_not_named_was_not_started),
        cmocka_unit_test(an_empty_report_gives_the_slice_back),
        cmocka_unit_test(failures_wait_longer_each_time_and_end),
        cmocka_unit_test(failures_that_do_not_count_go_on_for_ever),
        cmocka_unit_test(a_failure_may_forbid_another_attempt),
        cmocka_unit_test(neighbouring_failures_stay_apart),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(too_little_room_is_noticed),
        cmocka_unit_test(ranges_merge_when_they_touch),
        cmocka_unit_test(a_new_stage_has_about_a_thousand_slices_at_most),
        cmocka_unit_test(random_lives_keep_every_task),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

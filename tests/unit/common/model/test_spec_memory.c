// What happens when memory runs out at any moment of reading a spec: an error, no crash, and nothing is lost.
#include "services/common/json/parse.h"
#include "services/common/json/yaml.h"
#include "services/common/model/job_spec.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

static bool armed;
static long allocations_left; // until one fails, and all that follow
static long alive;            // blocks that were taken while armed, and not given back

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ALLOCATOR_IS_OURS false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ALLOCATOR_IS_OURS false
#endif
#endif
#ifndef ALLOCATOR_IS_OURS
#define ALLOCATOR_IS_OURS true

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name)
// glibc's allocator below ours; sanitizers have one of their own.
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *block, size_t bytes);
void __libc_free(void *block);

static bool fails(void)
{
    return armed && allocations_left-- <= 0;
}

static void *taken(void *block)
{
    if (armed && block)
        alive++;
    return block;
}

void *malloc(size_t bytes)
{
    return fails() ? NULL : taken(__libc_malloc(bytes));
}

void *calloc(size_t count, size_t bytes)
{
    return fails() ? NULL : taken(__libc_calloc(count, bytes));
}

void *realloc(void *block, size_t bytes)
{
    if (fails())
        return NULL;
    void *moved = __libc_realloc(block, bytes);
    if (armed && moved && !block)
        alive++;
    return moved;
}

void free(void *block)
{
    if (armed && block)
        alive--;
    __libc_free(block);
}
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
#endif

static const char spec_text[] =
    "{\"name\":\"j\",\"labels\":{\"a\":\"b\"},\"services\":[{\"name\":\"c\",\"command\":[\"a\",\"\\u00e9\"],\"ready\":"
    "{\"exec\":[\"x\"]},\"ports\":[{\"name\":\"p\"}],\"image\":\"redis:7\",\"env\":{\"A\":\"${PORT}\"}}],\"stages\":["
    "{\"name\":\"s\",\"command\":[\"a\",\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"],\"tasks\":[1,"
    "{\"a\":2.5}],\"retries\":{\"max\":2}},{\"name\":\"t\",\"command\":[\"a\"],\"from\":{\"after\":\"s\"},"
    "\"resources\":{\"cpus\":1.5}}]}";

// Runs it with ever more memory until it succeeds. Returns how often it failed.
static long fail_everywhere(int (*run)(struct err *err))
{
    for (long count = 0;; count++) {
        struct err err = {0};
        alive = 0;
        allocations_left = count;
        armed = true;
        int outcome = run(&err);
        armed = false;
        assert_int_equal(alive, 0);
        if (outcome == 0)
            return count;
        if (err.code != ERR_NO_MEMORY)
            fail_msg("%ld allocations: %s: %s", count, err_code_name(err.code), err.text);
        assert_true(count < 10000);
    }
}

static int run_job_spec(struct err *err)
{
    struct job_spec spec AUTO_JOB_SPEC = JOB_SPEC_INIT;
    struct faults faults AUTO_FAULTS = FAULTS_INIT;
    return job_spec_parse(spec_text, strlen(spec_text), &spec, &faults, err);
}

static int run_json(struct err *err)
{
    struct json_document document AUTO_JSON_DOCUMENT = JSON_DOCUMENT_INIT;
    return json_parse(spec_text, strlen(spec_text), NULL, &document, NULL, err);
}

static int run_yaml(struct err *err)
{
    static const char text[] = "a: [1, 'x', {b: c}]\nb: |\n  t\nc: {}\n";
    struct yaml_document document AUTO_YAML_DOCUMENT = YAML_DOCUMENT_INIT;
    return yaml_to_json(text, strlen(text), NULL, &document, NULL, err);
}

static void survives_in(int (*run)(struct err *err))
{
    long failures = fail_everywhere(run);
    assert_true(failures > 10 || !ALLOCATOR_IS_OURS);
    assert_int_equal(json_budget_used(), 0);
}

static void a_spec_survives(void **state)
{
    UNUSED(state);
    survives_in(run_job_spec);
}

static void a_tree_survives(void **state)
{
    UNUSED(state);
    survives_in(run_json);
}

static void yaml_survives(void **state)
{
    UNUSED(state);
    survives_in(run_yaml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spec_survives),
        cmocka_unit_test(a_tree_survives),
        cmocka_unit_test(yaml_survives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

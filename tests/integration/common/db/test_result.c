#include "services/common/db/result.h"

#include "tests/support/db_test.h"

#include <limits.h>
#include <string.h>

static struct db *db;

static int start(void **state)
{
    int outcome = db_test_start(state);
    db = db_test_open(pg_admin(test_pg), NULL, 0);
    return outcome;
}

static int stop(void **state)
{
    db_close(db);
    return db_test_stop(state);
}

static void query(const char *sql, const struct params *params, enum result_format format, struct result *out)
{
    struct err err = {0};
    assert_ok(db_sql(db, sql, params, format, out, &err), err);
}

// Reading column 0 of row 0 fails with `part` in the error.
#define assert_unreadable(reader, sql, format, part)                        \
    do {                                                                    \
        struct result result_ AUTO_RESULT = RESULT_INIT;                    \
        struct err err_ = {0};                                              \
        query(sql, NULL, format, &result_);                                 \
        (void)reader(&result_, 0, 0);                                       \
        assert_error(result_ok(&result_, &err_), err_, ERR_INTERNAL, part); \
    } while (0)

static void reads_scalars_in_both_formats(void **state)
{
    UNUSED(state);
    for (int format = RESULT_TEXT; format <= RESULT_BINARY; format++) {
        struct err err = {0};
        struct result result AUTO_RESULT = RESULT_INIT;
        query("SELECT 9223372036854775807::bigint, (-2147483648)::integer, (-7)::smallint, true, false, 'té xt'::text,"
              " '{\"a\":1}'::json, '{\"a\": 1}'::jsonb, 0.25::float8, -0.5::real, NULL::bigint, NULL::text, 'n'::name",
              NULL, (enum result_format)format, &result);
        assert_int_equal(result_rows(&result), 1);
        assert_int_equal(result_columns(&result), 13);
        assert_int_equal(result_i64(&result, 0, 0), INT64_MAX);
        assert_int_equal(result_i32(&result, 0, 1), INT32_MIN);
        assert_int_equal(result_i64(&result, 0, 1), INT32_MIN);
        assert_int_equal(result_i64(&result, 0, 2), -7);
        assert_true(result_bool(&result, 0, 3));
        assert_false(result_bool(&result, 0, 4));
        assert_string_equal(result_text(&result, 0, 5), "té xt");
        assert_string_equal(result_text(&result, 0, 6), "{\"a\":1}");
        assert_string_equal(result_text(&result, 0, 7), "{\"a\": 1}");
        assert_true(result_double(&result, 0, 8) == 0.25);
        assert_true(result_double(&result, 0, 9) == -0.5);
        assert_true(result_is_null(&result, 0, 10));
        assert_int_equal(result_i64_or(&result, 0, 10, 42), 42);
        assert_int_equal(result_i64_or(&result, 0, 2, 42), -7);
        assert_null(result_text_or_null(&result, 0, 11));
        assert_string_equal(result_text(&result, 0, 12), "n");
        assert_ok(result_ok(&result, &err), err);
    }
}

static void reads_times_and_bytes_from_binary_results(void **state)
{
    UNUSED(state);
    struct err err = {0};
    size_t length;
    struct result result AUTO_RESULT = RESULT_INIT;
    query("SELECT '2026-01-31T12:00:00.000001Z'::timestamptz, '\\x00ff'::bytea, '1969-12-31T23:59:59Z'::timestamptz",
          NULL, RESULT_BINARY, &result);
    assert_int_equal(result_time_us(&result, 0, 0), INT64_C(1769860800000001));
    assert_memory_equal(result_bytea(&result, 0, 1, &length), "\x00\xff", 2);
    assert_int_equal(length, 2);
    assert_int_equal(result_time_us(&result, 0, 2), -1000000);
    assert_ok(result_ok(&result, &err), err);
}

static void another_type_is_an_error_and_no_zero(void **state)
{
    UNUSED(state);
    assert_unreadable(result_i64, "SELECT sum(x) FROM (VALUES (1::bigint)) AS t (x)", RESULT_TEXT,
                      "row 0, column 0 (sum, numeric): an integer is wanted");
    assert_unreadable(result_i64, "SELECT '12'::text", RESULT_BINARY, "text): an integer is wanted");
    assert_unreadable(result_i32, "SELECT 2147483648", RESULT_BINARY, "32 bits");
    assert_unreadable(result_bool, "SELECT 1", RESULT_TEXT, "boolean");
    assert_unreadable(result_text, "SELECT 1", RESULT_BINARY, "integer): a text");
    assert_unreadable(result_double, "SELECT 1", RESULT_BINARY, "floating");
    assert_unreadable(result_time_us, "SELECT now()", RESULT_TEXT, "binary");
    assert_unreadable(result_time_us, "SELECT 'infinity'::timestamptz", RESULT_BINARY, "finite");
    assert_unreadable(result_i64, "SELECT NULL::bigint", RESULT_BINARY, "it is null");
    assert_unreadable(result_text, "SELECT NULL::text", RESULT_TEXT, "it is null");
    assert_unreadable(result_i64, "SELECT 1 WHERE false", RESULT_TEXT, "no such row");
    assert_unreadable(result_array, "SELECT 1", RESULT_BINARY, "array");
    assert_unreadable(result_array, "SELECT ARRAY[[1],[2]]", RESULT_BINARY, "one dimension");
}

static void the_first_problem_is_kept(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct result result AUTO_RESULT = RESULT_INIT;
    query("SELECT 1::bigint AS one", NULL, RESULT_BINARY, &result);
    assert_int_equal(result_column(&result, "one"), 0);
    assert_int_equal(result_column(&result, "two"), -1);
    result_text(&result, 0, 0);
    assert_error(result_ok(&result, &err), err, ERR_INTERNAL, "a column is missing");
    assert_int_equal(result_i64(&result, 0, 0), 1); // what is right stays readable
}

static void an_empty_result_reads_as_nothing(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct result result AUTO_RESULT = RESULT_INIT;
    assert_int_equal(result_rows(&result), 0);
    assert_int_equal(result_columns(&result), 0);
    assert_int_equal(result_affected(&result), 0);
    assert_int_equal(result_i64(&result, 0, 0), 0);
    assert_int_equal(result_ok(&result, &err), -1);
}

static void parameters_arrive_as_they_were_given(void **state)
{
    UNUSED(state);
    struct err err = {0};
    size_t length;
    struct params params AUTO_PARAMS = PARAMS_INIT;
    struct result result AUTO_RESULT = RESULT_INIT;
    params_i64(&params, INT64_MIN);
    params_i32(&params, -1);
    params_i16(&params, INT16_MAX);
    params_bool(&params, true);
    params_double(&params, 1e-300);
    params_text(&params, "");
    params_bytea(&params, "\0\1", 2);
    params_json(&params, "{\"k\": [1]}", 10);
    params_literal(&params, "90 seconds");
    params_null(&params);
    params_text_n(&params, "abcdef", 3);
    query("SELECT $1, $2, $3, $4, $5, $6, $7, $8::jsonb, extract(epoch FROM $9::interval)::integer, $10::text IS NULL,"
          " $11",
          &params, RESULT_BINARY, &result);
    assert_int_equal(result_i64(&result, 0, 0), INT64_MIN);
    assert_int_equal(result_i32(&result, 0, 1), -1);
    assert_int_equal(result_i32(&result, 0, 2), INT16_MAX);
    assert_true(result_bool(&result, 0, 3));
    assert_true(result_double(&result, 0, 4) == 1e-300);
    assert_string_equal(result_text(&result, 0, 5), "");
    assert_memory_equal(result_bytea(&result, 0, 6, &length), "\0\1", 2);
    assert_string_equal(result_text(&result, 0, 7), "{\"k\": [1]}");
    assert_int_equal(result_i32(&result, 0, 8), 90);
    assert_true(result_bool(&result, 0, 9));
    assert_string_equal(result_text(&result, 0, 10), "abc");
    assert_ok(result_ok(&result, &err), err);
}

static void arrays_make_the_round_trip(void **state)
{
    UNUSED(state);
    struct err err = {0};
    size_t length;
    const int64_t big[] = {INT64_MIN, 0, INT64_MAX};
    const int32_t middle[] = {INT32_MIN, 1};
    const int16_t small[] = {-1};
    const bool flags[] = {true, false};
    const char *const texts[] = {"one", NULL, "", "dré"};
    struct params params AUTO_PARAMS = PARAMS_INIT;
    struct result result AUTO_RESULT = RESULT_INIT;
    params_i64_array(&params, big, 3);
    params_i32_array(&params, middle, 2);
    params_i16_array(&params, small, 1);
    params_bool_array(&params, flags, 2);
    params_text_array(&params, texts, 4);
    params_array_begin(&params, PARAM_BYTEA);
    params_add_bytea(&params, "\0\377", 2);
    params_add_bytea(&params, NULL, 0);
    params_array_end(&params);
    params_i64_array(&params, NULL, 0);
    query("SELECT $1, $2, $3, $4, $5, $6, $7, NULL::bigint[]", &params, RESULT_BINARY, &result);
    struct result_array array = result_array(&result, 0, 0);
    assert_int_equal(array.left, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(result_array_i64(&array), big[i]);
    array = result_array(&result, 0, 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(result_array_i64(&array), middle[i]);
    array = result_array(&result, 0, 2);
    assert_int_equal(result_array_i64(&array), -1);
    array = result_array(&result, 0, 3);
    assert_true(result_array_bool(&array));
    assert_false(result_array_bool(&array));
    array = result_array(&result, 0, 4);
    assert_memory_equal(result_array_bytes(&array, &length), "one", 3);
    assert_true(result_array_next_is_null(&array));
    result_array_skip(&array);
    result_array_bytes(&array, &length);
    assert_int_equal(length, 0);
    assert_memory_equal(result_array_bytes(&array, &length), "dré", 4);
    array = result_array(&result, 0, 5);
    assert_memory_equal(result_array_bytes(&array, &length), "\0\377", 2);
    assert_true(result_array_next_is_null(&array));
    assert_int_equal(result_array(&result, 0, 6).left, 0);
    assert_int_equal(result_array(&result, 0, 7).left, 0);
    assert_ok(result_ok(&result, &err), err);
}

static void reading_an_array_wrongly_is_an_error(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct result result AUTO_RESULT = RESULT_INIT;
    struct result again AUTO_RESULT = RESULT_INIT;
    query("SELECT ARRAY['x']::text[]", NULL, RESULT_BINARY, &result);
    struct result_array array = result_array(&result, 0, 0);
    assert_int_equal(result_array_i64(&array), 0);
    assert_error(result_ok(&result, &err), err, ERR_INTERNAL, "not an integer");
    query("SELECT ARRAY[1]", NULL, RESULT_BINARY, &again);
    array = result_array(&again, 0, 0);
    assert_int_equal(result_array_i64(&array), 1);
    assert_ok(result_ok(&again, &err), err);
    assert_int_equal(result_array_i64(&array), 0);
    assert_error(result_ok(&again, &err), err, ERR_INTERNAL, "past the end");
}

static void a_hundred_thousand_elements(void **state)
{
    UNUSED(state);
    struct err err = {0};
    enum { COUNT = 100000 };
    struct params params AUTO_PARAMS = PARAMS_INIT;
    struct result result AUTO_RESULT = RESULT_INIT;
    params_array_begin(&params, PARAM_I64);
    for (int64_t i = 0; i < COUNT; i++)
        params_add_i64(&params, i);
    params_array_end(&params);
    query("SELECT x * 2 FROM unnest($1::bigint[]) AS x ORDER BY x", &params, RESULT_BINARY, &result);
    assert_int_equal(result_rows(&result), COUNT);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(result_i64(&result, i, 0), 2 * i);
    assert_ok(result_ok(&result, &err), err);
}

static void enums_are_text(void **state)
{
    UNUSED(state);
    struct err err = {0};
    static const struct db_statement statement[] = {{"color", "SELECT $1::color"}};
    struct params params AUTO_PARAMS = PARAMS_INIT;
    struct result result AUTO_RESULT = RESULT_INIT;
    const char *conninfo = pg_database_empty(test_pg);
    struct db *own AUTO_DB = db_test_open(conninfo, statement, 1);
    db_test_sql(own, "CREATE SCHEMA curfew; CREATE TYPE color AS ENUM ('red', 'green')");
    params_text(&params, "green");
    assert_ok(db_query(own, 0, &params, RESULT_BINARY, &result, &err), err);
    assert_string_equal(result_text(&result, 0, 0), "green");
    assert_ok(result_ok(&result, &err), err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_scalars_in_both_formats),
        cmocka_unit_test(reads_times_and_bytes_from_binary_results),
        cmocka_unit_test(another_type_is_an_error_and_no_zero),
        cmocka_unit_test(the_first_problem_is_kept),
        cmocka_unit_test(an_empty_result_reads_as_nothing),
        cmocka_unit_test(parameters_arrive_as_they_were_given),
        cmocka_unit_test(arrays_make_the_round_trip),
        cmocka_unit_test(reading_an_array_wrongly_is_an_error),
        cmocka_unit_test(a_hundred_thousand_elements),
        cmocka_unit_test(enums_are_text),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

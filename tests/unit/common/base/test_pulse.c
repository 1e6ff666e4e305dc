// A sign of life: healthy only while its process runs and has said so lately.
#include "tests/support/test.h"

#include "services/common/base/clock.h"
#include "services/common/base/pulse.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOUR_MS (3600 * INT64_C(1000))

static char path[512];

static void assert_unhealthy(const char *why)
{
    struct err err = {0};
    assert_error(pulse_check(path, &err), err, ERR_UNAVAILABLE, why);
}

static void is_healthy_while_it_beats(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct pulse pulse = PULSE_INIT;
    assert_unhealthy("cannot read");
    assert_ok(pulse_open(&pulse, path, &err), err);
    assert_unhealthy("not healthy yet");
    pulse_beat(&pulse, clock_boot_ms() + HOUR_MS);
    assert_ok(pulse_check(path, &err), err);
    pulse_beat(&pulse, clock_boot_ms() - 5500); // a worker that is told that its lease is over
    assert_unhealthy("not been healthy for 5 s");
    pulse_beat(&pulse, clock_boot_ms() + HOUR_MS);
    assert_ok(pulse_check(path, &err), err);
    pulse_close(&pulse);
    assert_unhealthy("does not run");
}

static void a_former_life_proves_nothing(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct pulse pulse = PULSE_INIT;
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (pulse_open(&pulse, path, &err) == 0)
            pulse_beat(&pulse, clock_boot_ms() + HOUR_MS);
        if (write(ready[1], "r", 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_ok(pulse_check(path, &err), err);
    assert_error(pulse_open(&pulse, path, &err), err, ERR_CONFLICT, "locked by a running process");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_unhealthy("does not run");
    assert_ok(pulse_open(&pulse, path, &err), err);
    assert_unhealthy("not healthy yet");
    pulse_close(&pulse);
    close(ready[0]);
    close(ready[1]);
}

static atomic_bool asks;

static void *ask_on(void *context)
{
    struct err err;
    while (atomic_load(&asks))
        UNUSED(pulse_check(path, &err) < 0);
    return context;
}

static void who_asks_keeps_nobody_from_starting(void **state)
{
    UNUSED(state);
    struct err err = {0};
    pthread_t asker;
    atomic_store(&asks, true);
    assert_int_equal(pthread_create(&asker, NULL, ask_on, NULL), 0);
    for (int i = 0; i < 3000; i++) {
        struct pulse pulse = PULSE_INIT;
        assert_ok(pulse_open(&pulse, path, &err), err);
        pulse_close(&pulse);
    }
    atomic_store(&asks, false);
    pthread_join(asker, NULL);
}

static void drops_beats_without_a_file(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct pulse pulse = PULSE_INIT;
    pulse_beat(&pulse, clock_boot_ms() + HOUR_MS);
    pulse_close(&pulse);
    assert_error(pulse_open(&pulse, "/nowhere/at/all", &err), err, ERR_IO, "cannot open");
}

// Heartbeats may come thousands of times a second.
static void writes_about_once_a_second(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct pulse pulse = PULSE_INIT;
    char text[32] = "";
    assert_ok(pulse_open(&pulse, path, &err), err);
    pulse_beat(&pulse, 1000000);
    pulse_beat(&pulse, 1000999);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, text, sizeof text - 1), 20);
    assert_string_equal(text, "0000000000001000000\n");
    pulse_beat(&pulse, 1001000);
    assert_int_equal(pread(fd, text, sizeof text - 1, 0), 20);
    assert_string_equal(text, "0000000000001001000\n");
    close(fd);
    pulse_close(&pulse);
}

static int set_up(void **state)
{
    if (temp_dir_setup(state) != 0)
        return -1;
    snprintf(path, sizeof path, "%s", temp_path(state, "health"));
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(is_healthy_while_it_beats, set_up, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(a_former_life_proves_nothing, set_up, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(who_asks_keeps_nobody_from_starting, set_up, temp_dir_teardown),
        cmocka_unit_test(drops_beats_without_a_file),
        cmocka_unit_test_setup_teardown(writes_about_once_a_second, set_up, temp_dir_teardown),
    };
    return cmocka_run_group_tests_name("pulse", tests, NULL, NULL);
}

// What must always hold: the books by SQL, the processes by the oracle, and the certificates.
#include "services/common/base/strbuf.h"
#include "services/common/store/read.h"
#include "tests/support/die.h"
#include "tests/support/oracle.h"
#include "tests/support/system_calls.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int system_violations(struct system *system)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    struct err err;
    int count = read_violations(system_db(system), 0, &text, &err);
    if (count < 0)
        die("violations: %s", err.text);
    if (count > 0)
        fprintf(stderr, "%d violations: %s\n", count, strbuf_text(&text));
    return count;
}

static int complain(const char *id, const struct json_object *certificate, const char *what)
{
    fprintf(stderr, "job %s: %s: %s\n", id, what,
            json_object_to_json_string((struct json_object *)(uintptr_t)certificate));
    return 1;
}

static bool is_one_of(const char *text, const char *const list[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text, list[i]) == 0)
            return true;
    }
    return false;
}

static int check_certificate(const char *id, struct json_object *certificate)
{
    static const char *const grades[] = {"exit", "absent", "verified"};
    static const char *const texts[] = {"/service", "/verified_at"};
    int faults = 0;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (!*json_text_at(certificate, texts[i]))
            faults += complain(id, certificate, texts[i]);
    }
    if (!is_one_of(json_text_at(certificate, "/grade"), grades, ARRAY_LEN(grades)))
        faults += complain(id, certificate, "grade");
    if (json_number_at(certificate, "/epoch") < 1)
        faults += complain(id, certificate, "epoch");
    if (!json_object_is_type(json_at(certificate, "/signals"), json_type_array))
        faults += complain(id, certificate, "signals");
    return faults;
}

// A service without any instance has no certificate, but no process either.
static int check_certificates(struct system *system, const char *id)
{
    AUTO_JSON_OBJECT struct json_object *cleanup = system_get(system, "/v1/jobs/%s/cleanup", id);
    AUTO_JSON_OBJECT struct json_object *services = system_get(system, "/v1/jobs/%s/services", id);
    size_t count = json_length_at(cleanup, "/certificates");
    int faults = 0;
    if (count != json_length_at(services, "/services"))
        faults += complain(id, cleanup, "there is not one certificate per instance");
    for (size_t i = 0; i < count; i++) {
        char pointer[48];
        snprintf(pointer, sizeof(pointer), "/certificates/%zu", i);
        faults += check_certificate(id, json_at(cleanup, pointer));
    }
    return faults;
}

int system_leftovers(struct system *system, const char *id)
{
    char marker[64];
    snprintf(marker, sizeof(marker), "CURFEW_JOB=%s", id);
    int64_t left = oracle_find(marker, NULL, 0);
    if (left > 0) {
        fprintf(stderr, "job %s is closed, and %" PRId64 " processes of it are left:\n", id, left);
        oracle_print(marker);
    }
    return (int)left + check_certificates(system, id);
}

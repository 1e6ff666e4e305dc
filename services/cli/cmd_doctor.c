// doctor: looks at the machine, the engine, the manager and its database, and says what does not agree.
#include "services/cli/api.h"
#include "services/cli/commands.h"
#include "services/cli/doctor.h"
#include "services/cli/print.h"
#include "services/common/base/clock.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define USUAL_SOCKET "/var/run/docker.sock"
#define SKEW_WARNS_MS 1000
#define SLOW_WARNS_MS 1000

static const char *const verdict_names[] = {"ok", "warning", "wrong"};

enum verdict verdict_from_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(verdict_names); i++)
        if (strcmp(verdict_names[i], name) == 0)
            return (enum verdict)i;
    return VERDICT_WRONG;
}

static void add_text(struct json_object *object, const char *member, const char *text)
{
    json_object_object_add(object, member, text ? json_object_new_string(text) : NULL);
}

static void add(struct findings *findings, const char *area, const char *check, enum verdict verdict,
                const char *advice, const char *found)
{
    struct json_object *finding = json_object_new_object();
    add_text(finding, "area", area);
    add_text(finding, "check", check);
    add_text(finding, "verdict", verdict_names[verdict]);
    add_text(finding, "found", found);
    add_text(finding, "advice", verdict == VERDICT_OK || !advice || !*advice ? NULL : advice);
    json_object_array_add(findings->list, finding);
    if (verdict > findings->worst)
        findings->worst = verdict;
}

void findings_add(struct findings *findings, const char *area, const char *check, enum verdict verdict,
                  const char *advice, const char *format, ...)
{
    char found[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(found, sizeof found, format, arguments);
    va_end(arguments);
    add(findings, area, check, verdict, advice, found);
}

void findings_add_answer(struct findings *findings, struct json_object *answer)
{
    struct json_object *list = api_member(answer, "findings");
    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        struct json_object *finding = json_object_array_get_idx(list, i);
        add(findings, "installation", api_text(finding, "check"), verdict_from_name(api_text(finding, "verdict")),
            api_text(finding, "advice"), api_text(finding, "found"));
    }
}

// ---- the manager

static void compare_versions(struct cli *cli, struct findings *findings)
{
    AUTO_JSON_DOCUMENT struct json_document version = JSON_DOCUMENT_INIT;
    struct err err;
    if (api_get(cli, "/v1/version", &version, &err) < 0)
        return; // /v1/doctor says what is wrong
    const char *theirs = api_text(version.root, "version");
    bool same = strcmp(theirs, CURFEW_VERSION) == 0;
    findings_add(findings, "manager", "version", same ? VERDICT_OK : VERDICT_WARNING,
                 "use the same version of `curfew` and of the manager", "%s, this is " CURFEW_VERSION, theirs);
}

// "2026-01-31T12:00:00.000000Z" against this machine's clock, which was read around it: the difference in ms.
static long long skew_ms(const char *at, int64_t between_us)
{
    struct tm time = {0};
    const char *fraction = strptime(at, "%Y-%m-%dT%H:%M:%S", &time);
    if (!fraction)
        return 0;
    int64_t their_us = (int64_t)timegm(&time) * 1000000 + (int64_t)(strtod(fraction, NULL) * 1000000);
    return (long long)((between_us - their_us) / 1000);
}

// Returns its deployment's name, "" when it does not say; the text is the answer's.
static const char *look_at_manager(struct cli *cli, struct findings *findings, struct json_document *answer)
{
    struct err err;
    int64_t before_us = clock_wall_us(), began_ms = clock_boot_ms();
    if (api_get(cli, "/v1/doctor", answer, &err) < 0) {
        findings_add(findings, "manager", "answers", VERDICT_WRONG,
                     "is it running, is this its address (--server), is the token valid?", "%s: %s", cli->server,
                     err.text);
        return "";
    }
    long long took_ms = (long long)(clock_boot_ms() - began_ms);
    findings_add(findings, "manager", "answers", took_ms < SLOW_WARNS_MS ? VERDICT_OK : VERDICT_WARNING,
                 "look at what the database is busy with, and at the network", "%s in %lld ms", cli->server, took_ms);
    compare_versions(cli, findings);
    long long skew = skew_ms(api_text(answer->root, "at"), before_us + took_ms * 500);
    findings_add(findings, "machine", "clock_of_database", llabs(skew) < SKEW_WARNS_MS ? VERDICT_OK : VERDICT_WARNING,
                 "synchronise the clocks: times in logs and lists do not agree", "%lld ms %s the database's",
                 llabs(skew), skew < 0 ? "behind" : "ahead of");
    findings_add_answer(findings, answer->root);
    return api_text(answer->root, "deployment");
}

static void look_at_engine(struct cli *cli, const char *deployment, struct findings *findings)
{
    const char *url = cli_option(cli, "--engine");
    if (url || access(USUAL_SOCKET, F_OK) == 0)
        doctor_engine(cli, url ? url : "unix:" USUAL_SOCKET, deployment, findings);
    else
        findings_add(findings, "engine", "answers", VERDICT_OK, NULL, "there is none: processes only");
}

// ---- what is said

static void print_findings(const struct findings *findings)
{
    static const char *const titles[] = {"VERDICT", "AREA", "CHECK", "FOUND"};
    struct table table;
    table_init(&table, ARRAY_LEN(titles), titles);
    for (size_t i = 0; i < json_object_array_length(findings->list); i++) {
        struct json_object *finding = json_object_array_get_idx(findings->list, i);
        table_add(&table, api_text(finding, "verdict"));
        table_add(&table, api_text(finding, "area"));
        table_add(&table, api_text(finding, "check"));
        table_add(&table, api_text(finding, "found"));
    }
    table_print(&table);
    for (size_t i = 0; i < json_object_array_length(findings->list); i++) {
        struct json_object *finding = json_object_array_get_idx(findings->list, i);
        AUTO_STRBUF struct strbuf clean = STRBUF_INIT;
        print_clean(&clean, api_text(finding, "advice"));
        if (clean.length > 0)
            printf("%s %s: %s\n", api_text(finding, "area"), api_text(finding, "check"), strbuf_text(&clean));
    }
}

static void print_all(const struct cli *cli, const struct findings *findings)
{
    if (!cli->json) {
        print_findings(findings);
        return;
    }
    struct json_object *whole = json_object_new_object();
    add_text(whole, "verdict", verdict_names[findings->worst]);
    json_object_object_add(whole, "findings", json_object_get(findings->list));
    api_print(whole);
    json_object_put(whole);
}

int cmd_doctor(struct cli *cli)
{
    AUTO_JSON_DOCUMENT struct json_document answer = JSON_DOCUMENT_INIT;
    if (cli_option(cli, "--force") && !cli_option(cli, "--drill"))
        return cli_usage(cli->command, "--force is for --drill");
    struct findings findings = {.list = json_object_new_array()};
    doctor_machine(&findings);
    const char *deployment = look_at_manager(cli, &findings, &answer);
    look_at_engine(cli, deployment, &findings);
    if (cli_option(cli, "--drill") && *deployment)
        doctor_drill(cli, &findings);
    print_all(cli, &findings);
    json_object_put(findings.list);
    return findings.worst == VERDICT_WRONG ? EXIT_ERROR : 0;
}

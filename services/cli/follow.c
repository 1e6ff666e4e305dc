#include "services/cli/follow.h"

#include "services/cli/api.h"
#include "services/cli/event_line.h"
#include "services/cli/interrupt.h"
#include "services/cli/patience.h"
#include "services/cli/print.h"
#include "services/cli/progress.h"
#include "services/common/base/clock.h"

#include <json-c/json.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LOOK_MS 250         // how often progress is looked at
#define WAIT_QUIET_MS 20000 // how long one long-poll lasts when nobody watches
#define ANSWER_MS 10000     // how long an answer may take when the time is limited
#define SILENCE_MS 5000     // when a job of which nothing is heard says why
#define PATH_SIZE 256
#define HIDE "\r\033[K"

struct follow {
    struct cli *cli;
    const char *job;
    const struct follow_settings *settings;
    int64_t seen_event, ask_at_ms; // when to ask why nothing happens
    char reason[32];               // why nothing does, as it was said
    struct patience patience;
    bool bar_shown, stop_asked;
    char outcome[32], cleanup[32];
    bool over; // closed, or as far as it goes by itself
};

static void hide_bar(struct follow *follow)
{
    if (follow->bar_shown)
        fprintf(stderr, HIDE);
    follow->bar_shown = false;
}

// ---- lines

struct lines {
    struct follow *follow;
    struct strbuf rest; // a line that is not whole yet
};

static void print_event(struct follow *follow, struct json_object *event)
{
    AUTO_STRBUF struct strbuf line = STRBUF_INIT;
    follow->seen_event = api_number(event, "seq");
    follow->ask_at_ms = clock_boot_ms() + SILENCE_MS;
    *follow->reason = '\0';
    event_line(&line, event, follow->cli->color);
    hide_bar(follow);
    fputs(strbuf_text(&line), stdout);
}

static int on_events(void *context, const char *bytes, size_t length)
{
    struct lines *lines = context;
    strbuf_add(&lines->rest, bytes, length);
    for (char *newline; lines->rest.length > 0 && (newline = memchr(lines->rest.data, '\n', lines->rest.length));) {
        AUTO_JSON_DOCUMENT struct json_document event = JSON_DOCUMENT_INIT;
        size_t line = (size_t)(newline - lines->rest.data);
        if (json_parse(lines->rest.data, line, NULL, &event, NULL, NULL) == 0)
            print_event(lines->follow, event.root);
        strbuf_drop_front(&lines->rest, line + 1);
    }
    return 0;
}

static int print_events(struct follow *follow, struct err *err)
{
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    struct lines lines = {.follow = follow};
    char path[PATH_SIZE], suffix[64];
    snprintf(suffix, sizeof suffix, "/events?after=%lld", (long long)follow->seen_event);
    if (api_job_path(follow->job, suffix, path, sizeof path, err) < 0)
        return -1;
    const struct http_call call = {.method = "GET", .path = path, .on_body = on_events, .on_body_context = &lines};
    int outcome = http_call(follow->cli->client, &call, &response, err);
    strbuf_release(&lines.rest);
    fflush(stdout);
    if (outcome < 0)
        return -1;
    return response.status == 200 ? 0 : api_problem(&response, err);
}

// Says why nothing happens: once for each reason, and nothing of what only takes its time.
static void explain_silence(struct follow *follow)
{
    AUTO_JSON_DOCUMENT struct json_document why = JSON_DOCUMENT_INIT;
    AUTO_STRBUF struct strbuf message = STRBUF_INIT;
    char path[PATH_SIZE];
    struct err err;
    if (follow->over || clock_boot_ms() < follow->ask_at_ms)
        return;
    follow->ask_at_ms = clock_boot_ms() + SILENCE_MS;
    if (api_job_path(follow->job, "/why", path, sizeof path, &err) < 0 || api_get(follow->cli, path, &why, &err) < 0)
        return; // the next look says so, if it lasts
    const char *reason = api_text(why.root, "code");
    if (strcmp(reason, "running") == 0 || strcmp(reason, "settling") == 0 || strcmp(reason, "closed") == 0 ||
        strcmp(reason, follow->reason) == 0)
        return;
    snprintf(follow->reason, sizeof follow->reason, "%s", reason);
    print_clean(&message, api_text(why.root, "message"));
    hide_bar(follow);
    fprintf(stderr, "curfew: %s; `curfew why %s` says what to do\n", strbuf_text(&message), follow->job);
}

static void show_bar(struct follow *follow, struct json_object *job)
{
    AUTO_STRBUF struct strbuf line = STRBUF_INIT;
    struct winsize size = {0};
    size_t columns =
        ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : PROGRESS_WIDTH_UNKNOWN;
    progress_line(&line, job, columns);
    fprintf(stderr, HIDE "%s", strbuf_text(&line));
    follow->bar_shown = true;
}

// ---- the job

static void learn(struct follow *follow, struct json_object *job)
{
    snprintf(follow->outcome, sizeof follow->outcome, "%s", api_text(job, "outcome"));
    snprintf(follow->cleanup, sizeof follow->cleanup, "%s", api_text(job, "cleanup"));
    bool rests = strcmp(follow->cleanup, "kept") == 0 || strcmp(follow->cleanup, "stuck") == 0;
    follow->over = *api_text(job, "closed_at") || (*follow->outcome && (follow->settings->until_outcome || rests));
}

static int look(struct follow *follow, int64_t wait_ms, struct err *err)
{
    AUTO_JSON_DOCUMENT struct json_document job = JSON_DOCUMENT_INIT;
    char path[PATH_SIZE], suffix[64];
    int status = 0;
    snprintf(suffix, sizeof suffix, "?wait=%s&timeout=%lldms", follow->settings->until_outcome ? "outcome" : "closed",
             (long long)wait_ms);
    if (api_job_path(follow->job, suffix, path, sizeof path, err) < 0)
        return -1;
    int64_t timeout_ms = follow->settings->timeout_ms > 0 ? wait_ms + ANSWER_MS : 0;
    int rc = api_call(follow->cli, "GET", path, NULL, NULL, timeout_ms, &job, &status, err);
    if (status > 0)
        patience_answered(&follow->patience);
    if (rc < 0)
        return -1;
    learn(follow, job.root);
    if (!follow->settings->quiet && print_events(follow, err) < 0)
        return -1;
    if (!follow->settings->quiet)
        explain_silence(follow);
    if (!follow->settings->quiet && follow->cli->terminal && !follow->over)
        show_bar(follow, job.root);
    if (follow->over && follow->settings->print)
        api_print(job.root);
    return 0;
}

// Asks for a stop once; what goes wrong with it is seen by look().
static void stop_when_interrupted(struct follow *follow)
{
    AUTO_JSON_DOCUMENT struct json_document answer = JSON_DOCUMENT_INIT;
    char path[PATH_SIZE];
    struct err err;
    if (follow->stop_asked || !follow->settings->stop_on_interrupt || !interrupt_noted())
        return;
    if (api_job_path(follow->job, "/stop", path, sizeof path, &err) == 0 &&
        api_call(follow->cli, "POST", path, "{}", NULL, 0, &answer, NULL, &err) == 0) {
        hide_bar(follow);
        fprintf(stderr, "curfew: stopping the job; Ctrl-C again ends everything at once\n");
        follow->stop_asked = true;
    }
}

// ---- until it is over

// How long the next look may wait; 0: the time is over.
static int64_t next_wait_ms(const struct follow_settings *settings, int64_t started_ms)
{
    int64_t wait_ms = settings->quiet && !settings->stop_on_interrupt ? WAIT_QUIET_MS : LOOK_MS;
    if (settings->timeout_ms == 0)
        return wait_ms;
    int64_t left_ms = started_ms + settings->timeout_ms - clock_boot_ms();
    return left_ms <= 0 ? 0 : MIN(wait_ms, left_ms);
}

static void explain_interrupt(const struct follow *follow)
{
    char text[384];
    if (follow->settings->stop_on_interrupt)
        return;
    snprintf(text, sizeof text,
             "%s\ncurfew: %.64s goes on; `curfew stop %.64s` stops it, `curfew wait %.64s` waits for it\n",
             follow->cli->terminal ? HIDE : "", follow->job, follow->job, follow->job);
    interrupt_explain(text);
}

static int end(struct follow *follow)
{
    hide_bar(follow);
    if (!follow->over)
        return EXIT_UNFINISHED;
    if (!follow->settings->until_outcome && strcmp(follow->cleanup, "stuck") == 0) {
        fprintf(stderr, "curfew: %s: a service could not be stopped: see `curfew cleanup %s`\n", follow->job,
                follow->job);
        return EXIT_UNFINISHED;
    }
    if (strcmp(follow->cleanup, "kept") == 0)
        fprintf(stderr, "curfew: its services are kept; `curfew stop %s` stops them\n", follow->job);
    return cli_outcome_status(follow->outcome);
}

int follow_job(struct cli *cli, const char *job, const struct follow_settings *settings)
{
    int64_t started_ms = clock_boot_ms();
    struct follow follow = {.cli = cli, .job = job, .settings = settings, .patience = patience_new(settings->is_known)};
    follow.ask_at_ms = started_ms + SILENCE_MS;
    explain_interrupt(&follow);
    while (!follow.over) {
        struct err err;
        int64_t wait_ms = next_wait_ms(settings, started_ms);
        stop_when_interrupted(&follow);
        if (wait_ms == 0)
            break;
        if (look(&follow, wait_ms, &err) == 0) {
            patience_restored(&follow.patience);
            continue;
        }
        hide_bar(&follow);
        if (!patience_wait(&follow.patience, &err))
            return cli_fail(&err);
    }
    return end(&follow);
}

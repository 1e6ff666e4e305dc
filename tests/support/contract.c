#include "tests/support/contract.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/macros.h"
#include "tests/support/die.h"
#include "tests/support/gunzip.h"
#include "tests/support/json_schema.h"
#include "tests/support/process.h"

#include <json-c/json.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define SHOWN 1000
#define PARTS_CHECKED 1000 // lines or events of a stream: the others are written by the same code

static struct json_object *document; // made once, then only read
static _Atomic size_t count;

// What `curfew-jobmanager openapi` prints is what a manager serves.
static void load(void)
{
    const char *program = program_path("curfew-jobmanager");
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    char command[512], piece[4096];
    snprintf(command, sizeof(command), "%s openapi", program ? program : "curfew-jobmanager");
    FILE *out = popen(command, "re");
    for (size_t length; out && (length = fread(piece, 1, sizeof(piece), out)) > 0;)
        strbuf_add(&text, piece, length);
    if (!out || pclose(out) != 0 || !(document = json_tokener_parse(strbuf_text(&text))))
        die("%s: no document", command);
}

static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *found = NULL;
    json_object_object_get_ex(object, name, &found);
    return found;
}

// Whether `path`, up to its query, is one of `pattern`: the words are equal, or in braces there.
static bool is_path_of(const char *path, const char *pattern)
{
    for (;;) {
        size_t length = strcspn(path, "/?"), wanted = strcspn(pattern, "/");
        bool is_any = *pattern == '{' && length > 0;
        if (!is_any && (length != wanted || strncmp(path, pattern, length) != 0))
            return false;
        path += length;
        pattern += wanted;
        if (*path != '/' || *pattern != '/')
            return *path != '/' && *pattern != '/';
        path++;
        pattern++;
    }
}

static struct json_object *find_operation(const char *method, const char *path)
{
    char name[16];
    size_t length = 0;
    for (; method[length] && length < sizeof(name) - 1; length++)
        name[length] = (char)(method[length] | 0x20);
    name[length] = '\0';
    json_object_object_foreach(member(document, "paths"), pattern, operations)
    {
        if (is_path_of(path, pattern) && member(operations, name))
            return member(operations, name);
    }
    return NULL;
}

static struct json_object *followed(struct json_object *object)
{
    struct json_object *reference = member(object, "$ref"), *found = object;
    if (reference && json_pointer_get(document, json_object_get_string(reference) + 1, &found) < 0)
        die("the document has no %s", json_object_get_string(reference));
    return found;
}

// ---- bodies

struct checked {
    const char *method, *path;
    const struct http_response *response;
    bool is_whole;
};

static void fail(const struct checked *checked, const char *what)
{
    const struct http_response *response = checked->response;
    die("%s %s: %d %s contradicts the API's document: %s\n%.*s", checked->method, checked->path, response->status,
        response->content_type, what, SHOWN, strbuf_text(&response->body));
}

static void check_value(const struct checked *checked, struct json_object *schema, const char *text, size_t length)
{
    char problem[JSON_SCHEMA_PROBLEM_SIZE];
    struct json_tokener *tokener = json_tokener_new_ex(64);
    struct json_object *value = json_tokener_parse_ex(tokener, text, (int)length);
    if (json_tokener_get_error(tokener) != json_tokener_success)
        fail(checked, "it is no JSON");
    if (!json_schema_holds(document, schema, value, problem))
        fail(checked, problem);
    json_object_put(value);
    json_tokener_free(tokener);
}

static void check_lines(const struct checked *checked, struct json_object *schema, const struct strbuf *body)
{
    const char *text = strbuf_text(body), *end = text + body->length;
    for (int line = 0; text < end && line < PARTS_CHECKED; line++) {
        size_t length = strcspn(text, "\n");
        if (text + length == end && !checked->is_whole)
            return;
        check_value(checked, schema, text, length);
        text += length + 1;
    }
}

// The rest of the line that begins with `name` within [text, end); NULL: there is none.
static const char *event_field(const char *text, const char *end, const char *name, size_t *length)
{
    for (; text < end; text += strcspn(text, "\n") + 1) {
        *length = strcspn(text, "\n") - strlen(name);
        if (strncmp(text, name, strlen(name)) == 0)
            return text + strlen(name);
    }
    return NULL;
}

// An event has a number, a name and data of what the document says of that name; or is a comment.
static void check_event(const struct checked *checked, struct json_object *types, const char *text, const char *end)
{
    size_t id_length, name_length, data_length;
    const char *id = event_field(text, end, "id: ", &id_length);
    const char *name = event_field(text, end, "event: ", &name_length);
    const char *data = event_field(text, end, "data: ", &data_length);
    bool is_end = name && name_length == 3 && memcmp(name, "end", 3) == 0;
    if (*text == ':')
        return;
    if (!id || id_length == 0 || strspn(id, "0123456789") != id_length || !name || !data)
        fail(checked, "an event without id, name or data");
    check_value(checked, member(types, is_end ? "end" : "*"), data, data_length);
    if (is_end && *end && end[1])
        fail(checked, "something follows the last event");
}

static void check_events(const struct checked *checked, struct json_object *types, const struct strbuf *body)
{
    const char *text = strbuf_text(body), *end;
    for (int event = 0; (end = strstr(text, "\n\n")) && event < PARTS_CHECKED; event++) {
        check_event(checked, types, text, end + 1);
        text = end + 2;
    }
    if (!end && checked->is_whole && *text)
        fail(checked, "the last event breaks off");
}

static void check_body(const struct checked *checked, const char *media, struct json_object *described)
{
    AUTO_STRBUF struct strbuf unpacked = STRBUF_INIT;
    const struct strbuf *body = &checked->response->body;
    bool is_packed = body->length > 1 && memcmp(body->data, "\x1f\x8b", 2) == 0;
    if (is_packed && !checked->is_whole)
        return;
    if (is_packed && gunzip(body, &unpacked) > 0)
        fail(checked, "something follows what is compressed");
    body = is_packed ? &unpacked : body;
    if (strcmp(media, "text/event-stream") == 0)
        check_events(checked, member(described, "x-event-data"), body);
    else if (strstr(media, "ndjson"))
        check_lines(checked, member(described, "schema"), body);
    else if (strstr(media, "json") && checked->is_whole)
        check_value(checked, member(described, "schema"), strbuf_text(body), body->length);
}

static void check_reply(const struct checked *checked, struct json_object *reply)
{
    const struct http_response *response = checked->response;
    char media[sizeof(response->content_type)];
    snprintf(media, sizeof(media), "%.*s", (int)strcspn(response->content_type, ";"), response->content_type);
    struct json_object *content = member(reply, "content"), *described = member(content, media);
    if (!content && response->body.length > 0)
        fail(checked, "it has a body");
    if (content && !described)
        fail(checked, "another media type");
    if (content)
        check_body(checked, media, described);
    if (member(member(reply, "headers"), "Retry-After") && response->status != 403 && response->retry_after_ms < 0)
        fail(checked, "Retry-After is missing");
    if (!*response->request_id)
        fail(checked, "X-Request-Id is missing");
    atomic_fetch_add(&count, 1);
}

// ---- replies

static void prepare(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
}

void contract_check(const char *method, const char *path, const struct http_response *response, bool is_whole)
{
    const struct checked checked = {method, path, response, is_whole};
    char status[16];
    prepare();
    snprintf(status, sizeof(status), "%d", response->status);
    struct json_object *operation = find_operation(method, path);
    if (operation) {
        struct json_object *reply = member(member(operation, "responses"), status);
        if (!reply)
            fail(&checked, "a status that is not described");
        check_reply(&checked, followed(reply));
    } else if (response->status < 400) {
        fail(&checked, "there is no such call");
    } else if (response->body.length > 0) {
        contract_check_refusal(response);
    }
}

// What is no HTTP is refused before our code sees it, as the document says. Version 0.9 may send the head twice.
static bool is_library_page(const struct http_response *response)
{
    const char *text = strbuf_text(&response->body);
    return !*response->content_type && (strncmp(text, "<html>", 6) == 0 || strncmp(text, "HTTP/1.1 4", 10) == 0);
}

void contract_check_refusal(const struct http_response *response)
{
    const struct checked checked = {"ANY", "request", response, true};
    prepare();
    json_object_object_foreach(member(member(document, "components"), "responses"), name, reply)
    {
        struct json_object *schema, *status;
        UNUSED(name);
        if (json_pointer_get(reply, "/content/application~1problem+json/schema", &schema) == 0 &&
            json_pointer_get(schema, "/properties/status/const", &status) == 0 &&
            json_object_get_int(status) == response->status) {
            if (is_library_page(response))
                atomic_fetch_add(&count, 1);
            else
                check_reply(&checked, reply);
            return;
        }
    }
    fail(&checked, "a status that is not described");
}

size_t contract_count(void)
{
    return atomic_load(&count);
}

int contract_call(struct http_client *client, const struct http_call *call, struct http_response *response,
                  struct err *err)
{
    if (http_call(client, call, response, err) < 0)
        return -1;
    if (!call->on_body || response->status / 100 != 2)
        contract_check(call->method, call->path, response, true);
    return 0;
}

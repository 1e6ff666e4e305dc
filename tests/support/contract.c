#include "tests/support/contract.h"

#include "services/common/base/cleanup.h"
#include "tests/support/die.h"
#include "tests/support/json_schema.h"
#include "tests/support/process.h"

#include <json-c/json.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define SHOWN 1000
#define LINES_CHECKED 1000 // of a stream: the others are written by the same code

static struct json_object *document; // made once, then only read

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

static void fail(const char *method, const char *path, const struct http_response *response, const char *what)
{
    die("%s %s: %d %s contradicts the API's document: %s\n%.*s", method, path, response->status, response->content_type,
        what, SHOWN, strbuf_text(&response->body));
}

// One value, or one a line.
static void check_body(const char *method, const char *path, const struct http_response *response,
                       struct json_object *schema, bool is_lines)
{
    char problem[JSON_SCHEMA_PROBLEM_SIZE];
    const char *text = strbuf_text(&response->body), *end = text + response->body.length;
    struct json_tokener *tokener = json_tokener_new_ex(64);
    for (int line = 0; text < end && line < LINES_CHECKED; line++) {
        size_t length = is_lines ? strcspn(text, "\n") : (size_t)(end - text);
        json_tokener_reset(tokener);
        struct json_object *value = json_tokener_parse_ex(tokener, text, (int)length);
        if (json_tokener_get_error(tokener) != json_tokener_success)
            fail(method, path, response, "it is no JSON");
        if (!json_schema_holds(document, schema, value, problem))
            fail(method, path, response, problem);
        json_object_put(value);
        text += length + is_lines;
    }
    json_tokener_free(tokener);
}

static struct json_object *followed(struct json_object *object)
{
    struct json_object *reference = member(object, "$ref"), *found = object;
    if (reference && json_pointer_get(document, json_object_get_string(reference) + 1, &found) < 0)
        die("the document has no %s", json_object_get_string(reference));
    return found;
}

static void check_reply(const char *method, const char *path, const struct http_response *response,
                        struct json_object *reply)
{
    char media[sizeof(response->content_type)];
    snprintf(media, sizeof(media), "%.*s", (int)strcspn(response->content_type, ";"), response->content_type);
    struct json_object *content = member(reply, "content"), *described = member(content, media);
    if (!content && response->body.length > 0)
        fail(method, path, response, "it has a body");
    if (content && !described)
        fail(method, path, response, "another media type");
    struct json_object *schema = member(described, "schema");
    if (schema && strstr(media, "json"))
        check_body(method, path, response, schema, strstr(media, "ndjson"));
    if (member(member(reply, "headers"), "Retry-After") && response->status != 403 && response->retry_after_ms < 0)
        fail(method, path, response, "Retry-After is missing");
    if (!*response->request_id)
        fail(method, path, response, "X-Request-Id is missing");
}

static void check(const char *method, const char *path, const struct http_response *response)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char status[16];
    pthread_once(&once, load);
    snprintf(status, sizeof(status), "%d", response->status);
    struct json_object *operation = find_operation(method, path);
    if (operation) {
        struct json_object *reply = member(member(operation, "responses"), status);
        if (!reply)
            fail(method, path, response, "a status that is not described");
        check_reply(method, path, response, followed(reply));
    } else if (response->status < 400) {
        fail(method, path, response, "there is no such call");
    }
}

int contract_call(struct http_client *client, const struct http_call *call, struct http_response *response,
                  struct err *err)
{
    if (http_call(client, call, response, err) < 0)
        return -1;
    check(call->method, call->path, response);
    return 0;
}

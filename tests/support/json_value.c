#include "tests/support/json_value.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/strbuf.h"
#include "tests/support/test.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

static struct json_object *parse(const struct strbuf *document)
{
    struct json_object *root = json_tokener_parse(strbuf_text(document));
    if (!root)
        fail_msg("no JSON: %s", strbuf_text(document));
    return root;
}

static struct json_object *step(struct json_object *value, const char *name)
{
    if (json_object_is_type(value, json_type_array))
        return json_object_array_get_idx(value, (size_t)strtoul(name, NULL, 10));
    return json_object_object_get(value, name);
}

void assert_json(const struct strbuf *document, const char *path, const char *expected)
{
    struct json_object *root = parse(document), *value = root;
    AUTO_FREE char *copy = strdup(path);
    char *rest = copy;
    for (char *name; value && (name = strsep(&rest, ".")) && *name;)
        value = step(value, name);
    const char *text = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    if (strcmp(text, expected) != 0)
        fail_msg("%s is %s, not %s, in %s", path, text, expected, strbuf_text(document));
    json_object_put(root);
}

int64_t json_list_length(const struct strbuf *document, const char *name)
{
    struct json_object *root = parse(document);
    int64_t length = (int64_t)json_object_array_length(json_object_object_get(root, name));
    json_object_put(root);
    return length;
}

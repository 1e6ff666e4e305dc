// Services and tasks as containers of a private engine.
#include "services/common/base/strbuf.h"
#include "tests/support/containers.h"
#include "tests/support/die.h"
#include "tests/support/flavour.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

static struct engine *engine;

static struct system *start_system(int slots)
{
    engine = containers_engine_start();
    return system_start(&(struct system_plan){.slots = slots, .patient = true, .engine = engine});
}

static void end_system(struct system *system)
{
    system_free(system);
    engine_stop(engine);
    engine = NULL;
}

// ---- specs

// What is told in times of processes takes longer: dozens of containers are started at once, and that one has ended is
// known some time after its port has gone.
static const char *const replacements[][2] = {
    {"\"ready\":{\"tcp\":\"main\"}", "\"ready\":{\"tcp\":\"main\",\"failures\":200}"},
    {"[\"sleep\",\"1\"]", "[\"sleep\",\"6\"]"},
    {"\"grace\":\"2s\"", "\"grace\":\"8s\""},
};

static char *replace(char *text, const char *from, const char *to)
{
    struct strbuf out = STRBUF_INIT;
    const char *at = text;
    char *result = NULL;
    struct err err;
    for (const char *found; (found = strstr(at, from)); at = found + strlen(from)) {
        strbuf_add(&out, at, (size_t)(found - at));
        strbuf_add_text(&out, to);
    }
    strbuf_add_text(&out, at);
    free(text);
    if (strbuf_take(&out, &result, &err) < 0)
        die("%s", err.text);
    strbuf_release(&out);
    return result;
}

static void add_image(struct json_object *run)
{
    json_object_object_add(run, "image", json_object_new_string(ENGINE_IMAGE));
}

static void add_images(struct json_object *list)
{
    for (size_t i = 0; list && i < json_object_array_length(list); i++)
        add_image(json_object_array_get_idx(list, i));
}

static char *adapt(char *json)
{
    json = replace(json, fixture_path("nasty"), "/bin/nasty");
    for (size_t i = 0; i < ARRAY_LEN(replacements); i++)
        json = replace(json, replacements[i][0], replacements[i][1]);
    AUTO_JSON_OBJECT struct json_object *spec = json_tokener_parse(json);
    if (!spec)
        die("no JSON: %s", json);
    free(json);
    add_images(json_at(spec, "/services"));
    add_images(json_at(spec, "/stages"));
    if (json_at(spec, "/command"))
        add_image(spec);
    char *adapted =
        strdup(json_object_to_json_string_ext(spec, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    if (!adapted)
        die("out of memory");
    return adapted;
}

static int leftovers(struct system *system, const char *id)
{
    return system_leftovers(system, id) + containers_left(engine, id);
}

const struct flavour flavour_containers = {
    .start_system = start_system,
    .end_system = end_system,
    .adapt = adapt,
    .leftovers = leftovers,
    .daemons_end_with_service = true,
};

#include "services/common/engine/network_removal.h"

#include <stdio.h>
#include <string.h>

#define TAKEN_OUT_MAX 1000
#define REFUSALS_MAX 2

void network_removal_begin(struct network_removal *removal, const char *network)
{
    *removal = (struct network_removal){.step = REMOVAL_DELETE};
    snprintf(removal->network, sizeof removal->network, "%s", network);
}

const char *network_removal_ask(const struct network_removal *removal, struct strbuf *path, struct strbuf *body)
{
    strbuf_clear(path);
    strbuf_clear(body);
    switch (removal->step) {
    case REMOVAL_DELETE:
        strbuf_add_format(path, "/networks/%s", removal->network);
        return "DELETE";
    case REMOVAL_INSPECT:
        strbuf_add_format(path, "/networks/%s", removal->network);
        return "GET";
    case REMOVAL_LOOK:
        strbuf_add_format(path, "/containers/%s/json", removal->endpoint);
        return "GET";
    case REMOVAL_DISCONNECT:
        strbuf_add_format(path, "/networks/%s/disconnect", removal->network);
        strbuf_add_text(body, "{\"Container\":");
        strbuf_add_json(body, removal->endpoint, strlen(removal->endpoint));
        strbuf_add_text(body, ",\"Force\":true}");
        return "POST";
    }
    return "GET";
}

static int go_on(struct network_removal *removal, enum network_removal_step step)
{
    removal->step = step;
    return REMOVAL_GOES_ON;
}

// With nothing in it the engine may want to remove it now; asked once more, not for ever.
static int take_endpoint(struct network_removal *removal, const char *text, size_t length, struct err *err)
{
    int found = engine_network_endpoint_read(text, length, removal->endpoint, err);
    if (found < 0)
        return -1;
    if (!found)
        return go_on(removal, REMOVAL_DELETE);
    return removal->endpoint[0] ? go_on(removal, REMOVAL_LOOK) : REMOVAL_IN_USE;
}

// Between two refusals it was seen to be empty.
static int refused(struct network_removal *removal, const char *text)
{
    if (++removal->refusals <= REFUSALS_MAX)
        return go_on(removal, REMOVAL_INSPECT);
    return strstr(text, "active endpoints") ? REMOVAL_MISCOUNTED : REMOVAL_IN_USE;
}

int network_removal_answered(struct network_removal *removal, int status, const char *text, size_t length,
                             struct err *err)
{
    switch (removal->step) {
    case REMOVAL_DELETE:
        if (status == 204 || status == 404)
            return REMOVAL_DONE;
        return refused(removal, text);
    case REMOVAL_INSPECT:
        if (status == 404)
            return REMOVAL_DONE;
        return status == 200 ? take_endpoint(removal, text, length, err) : REMOVAL_IN_USE;
    case REMOVAL_LOOK:
        return status == 404 && removal->taken_out++ < TAKEN_OUT_MAX ? go_on(removal, REMOVAL_DISCONNECT)
                                                                     : REMOVAL_IN_USE;
    case REMOVAL_DISCONNECT:
        return status == 200 ? go_on(removal, REMOVAL_INSPECT) : REMOVAL_IN_USE;
    }
    return REMOVAL_IN_USE;
}

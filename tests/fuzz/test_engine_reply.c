// The readers of what a container engine answers: an engine may be anything that listens at its address.
//
// The first byte of an input chooses the reader, the rest is the body of the reply.
#include "services/common/engine/reply.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static int read_containers(const char *text, size_t length, struct arena *arena, struct err *err)
{
    struct engine_container *list;
    size_t count;
    int rc = engine_containers_read(text, length, arena, &list, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        FUZZ_HOLDS(list[i].id && list[i].deployment && list[i].job && list[i].state);
        FUZZ_HOLDS(list[i].published_count <= ENGINE_PORTS_MAX);
    }
    return rc;
}

static int read_networks(const char *text, size_t length, struct arena *arena, struct err *err)
{
    struct engine_network *list;
    size_t count;
    int rc = engine_networks_read(text, length, arena, &list, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        FUZZ_HOLDS(list[i].id && list[i].created && list[i].deployment && list[i].job);
    return rc;
}

static int read_container(const char *text, size_t length, struct arena *arena, struct err *err)
{
    struct engine_container container;
    return engine_container_read(text, length, arena, &container, err);
}

static int read_others(const char *text, size_t length, struct arena *arena, struct err *err)
{
    char id[ENGINE_ID_SIZE], status[128], error[200], message[100];
    struct engine_exec exec;
    int number;
    FUZZ_HOLDS(arena);
    int rc = engine_version_read(text, length, "the engine", &number, err);
    FUZZ_HOLDS(rc < 0 || number >= ENGINE_VERSION_OLDEST);
    rc = engine_id_read(text, length, id, err);
    FUZZ_HOLDS(rc < 0 || strlen(id) < sizeof id);
    rc = engine_created_read(text, length, id, err);
    FUZZ_HOLDS(rc < 0 || strlen(id) < sizeof id);
    rc = engine_progress_read(text, length, status, error, err);
    FUZZ_HOLDS(rc < 0 || (strlen(status) < sizeof status && strlen(error) < sizeof error));
    engine_message_read(text, length, message, sizeof message);
    FUZZ_HOLDS(strlen(message) < sizeof message && !strpbrk(message, "\r\n"));
    rc = engine_reaches_read(text, length, err);
    FUZZ_HOLDS(rc <= 1);
    return engine_exec_read(text, length, &exec, err);
}

static int read_ports(const char *text, size_t length, struct arena *arena, struct err *err)
{
    struct engine_port ports[ENGINE_PORTS_MAX];
    char *label = arena_copy(arena, text, length);
    size_t count = label ? engine_ports_parse(label, ports) : 0;
    FUZZ_HOLDS(err && count <= ENGINE_PORTS_MAX);
    for (size_t i = 0; i < count; i++)
        FUZZ_HOLDS(strlen(ports[i].name) < sizeof ports[i].name && ports[i].container > 0);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static int (*const readers[])(const char *, size_t, struct arena *, struct err *) = {
        read_containers, read_networks, read_container, read_others, read_ports,
    };
    AUTO_ARENA struct arena *arena = arena_new(0);
    struct err err;
    FUZZ_HOLDS(arena);
    if (length > 0)
        readers[bytes[0] % (sizeof readers / sizeof readers[0])]((const char *)bytes + 1, length - 1, arena, &err);
    return 0;
}

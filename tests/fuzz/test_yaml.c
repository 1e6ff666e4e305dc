// The YAML reader. Its JSON passes the scanner, and its places lie inside the text.
#include "services/common/json/yaml.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    AUTO_YAML_DOCUMENT struct yaml_document document = YAML_DOCUMENT_INIT;
    struct json_limits limits = {.any_top = true};
    struct yaml_fault fault;
    struct err err;
    size_t line, column;
    if (yaml_to_json((const char *)bytes, length, &limits, &document, &fault, &err) < 0)
        return 0;
    FUZZ_HOLDS(json_scan(document.json, document.length, &limits, NULL, &err) == 0);
    for (size_t i = 0; i < document.place_count; i++)
        FUZZ_HOLDS(document.places[i].offset <= document.length && document.places[i].line <= length + 1);
    yaml_locate(&document, "/stages/0/command", &line, &column);
    FUZZ_HOLDS(line >= 1 && column >= 1);
    return 0;
}

// The strict scanner. What it lets through json-c has to take, within the memory that was estimated for it.
#include "services/common/json/parse.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct json_limits limits = {.any_top = length % 2 == 0};
    struct json_scanned scanned;
    struct err err;
    int result = json_scan((const char *)bytes, length, &limits, &scanned, &err);
    FUZZ_HOLDS(result == 0 || scanned.offset <= length);
    AUTO_JSON_DOCUMENT struct json_document document = JSON_DOCUMENT_INIT;
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    FUZZ_HOLDS(json_parse((const char *)bytes, length, &limits, &document, &faults, &err) == result);
    FUZZ_HOLDS((faults_total(&faults) > 0) == (result < 0));
    return 0;
}

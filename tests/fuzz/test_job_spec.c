// The reader of job specs. A spec that it takes is one that it takes again as it writes it, and writes the same.
#include "services/common/model/job_spec.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void reads_what_it_wrote(const struct job_spec *spec)
{
    AUTO_STRBUF struct strbuf first = STRBUF_INIT;
    AUTO_STRBUF struct strbuf second = STRBUF_INIT;
    AUTO_JOB_SPEC struct job_spec again = {0};
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    struct err err;
    job_spec_write(spec, true, &first);
    FUZZ_HOLDS(strbuf_ok(&first, &err) == 0);
    FUZZ_HOLDS(job_spec_parse(strbuf_text(&first), first.length, &again, &faults, &err) == 0);
    job_spec_write(&again, true, &second);
    FUZZ_HOLDS(first.length == second.length && strcmp(strbuf_text(&first), strbuf_text(&second)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    AUTO_JOB_SPEC struct job_spec spec = {0};
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    struct err err;
    int result = job_spec_parse((const char *)bytes, length, &spec, &faults, &err);
    FUZZ_HOLDS((faults_total(&faults) > 0) == (result < 0));
    if (result == 0)
        reads_what_it_wrote(&spec);
    return 0;
}

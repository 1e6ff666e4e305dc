// print_reference PAGE: prints a reference page from the tables in the sources; docs/generate.sh puts it into docs/.
#include "services/common/model/job_spec.h"
#include "services/common/model/states.h"
#include "services/common/model/why.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    const char *page = argc == 2 ? argv[1] : "";
    if (strcmp(page, "states") == 0) {
        states_print_markdown(stdout);
    } else if (strcmp(page, "job-spec") == 0) {
        job_spec_print_markdown(stdout);
    } else if (strcmp(page, "why") == 0) {
        why_print_markdown(stdout);
    } else {
        fprintf(stderr, "usage: print_reference states|job-spec|why\n");
        return 2;
    }
    return ferror(stdout) || fflush(stdout) != 0;
}

// Services that were asked to outlive the work, as processes.
#include "tests/support/flavour.h"
#include "tests/support/keepings.h"

int main(void)
{
    return keepings_run(&flavour_processes);
}

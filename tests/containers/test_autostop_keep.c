// Services that were asked to outlive the work, as containers.
#include "tests/support/flavour.h"
#include "tests/support/keepings.h"

int main(void)
{
    return keepings_run(&flavour_containers);
}

// Each nasty service, as a container.
#include "tests/support/flavour.h"
#include "tests/support/nasty_cases.h"

int main(void)
{
    return nasty_cases_run(&flavour_containers);
}

// Every way in which a job can end, with services that are processes.
#include "tests/support/endings.h"
#include "tests/support/flavour.h"

int main(void)
{
    return endings_run(&flavour_processes);
}

// Every way in which a job can end, with services and tasks that are containers.
#include "tests/support/endings.h"
#include "tests/support/flavour.h"

int main(void)
{
    return endings_run(&flavour_containers);
}

// The program's commands: each has a file of its own and returns the exit status. They log why they fail.
#pragma once

#include "services/jobmanager/settings.h"

int command_serve(const struct settings *settings);   // until SIGTERM or SIGINT
int command_migrate(const struct settings *settings); // creates and upgrades the schema
int command_health(const struct settings *settings);  // 0 when the running manager answers /livez

// The version of everything in this repository.
#pragma once

#define CURFEW_VERSION "0.1.0"

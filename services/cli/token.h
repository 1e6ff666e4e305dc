// The token that the command line sends: from a file, or from a command that asks a keyring.
#pragma once

#include "services/common/base/err.h"

struct cli;

// Fills in cli->token (freed by the caller; NULL: none) from --token-file or --token-command, else from
// CURFEW_TOKEN_FILE or CURFEW_TOKEN_COMMAND. ERR_INVALID: both are given, the file cannot be read, or the command
// fails.
int token_read_own(struct cli *cli, struct err *err) WARN_UNUSED;

// Runs `command`, words between spaces, without a shell, with nothing on its stdin and our stderr, for a minute at
// most. *out is the first line of what it prints.
int token_of_command(const char *command, char **out, struct err *err) WARN_UNUSED;

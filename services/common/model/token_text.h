// What a token looks like, and what is kept of it.
//
// A token is "curfew_" and 52 digits of Crockford base32: 256 random bits. What has so many needs no salt and no slow
// hash: its SHA-256 is what is stored and compared. The text exists in the reply that makes it and in its owner's file.
#pragma once

#include "services/common/base/err.h"
#include "services/common/base/sha256.h"

#include <stdbool.h>

#define TOKEN_PREFIX "curfew_"
#define TOKEN_TEXT_SIZE 64 // prefix, 52 digits, NUL, four to spare
#define TOKEN_NAME_SIZE 65 // of a name: 1 to 64 letters, digits, '.', '_', '-'

int token_make(char out[static TOKEN_TEXT_SIZE], struct err *err) WARN_UNUSED;
// Of any text: a token from a file may have been made elsewhere.
int token_digest(const char *text, unsigned char out[static SHA256_SIZE], struct err *err) WARN_UNUSED;
// Names stand in logs and events as they are.
bool token_name_is_valid(const char *name);

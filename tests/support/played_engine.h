// A container engine that a test plays: a thread answers each request by the rule that the test has set.
//
// A connection per call, all answered at once. What goes wrong in the helper itself ends the test program.
#pragma once

#include <stdbool.h>

struct played_engine;

struct played_engine *played_engine_start(const char *socket_path);
void played_engine_stop(struct played_engine *engine); // takes NULL

// From now on requests that begin with `request` ("GET /version") are answered so; the text is borrowed. Status 0:
// never answered, the connection stays open. The last rule that fits counts, and the same again replaces; without: 404.
void played_engine_rule(struct played_engine *engine, const char *request, int status, const char *body);
// How many requests began so.
int played_engine_count(struct played_engine *engine, const char *request);

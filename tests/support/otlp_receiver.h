// An OpenTelemetry collector that keeps what it is sent, on threads of its own.
#pragma once

#include <json-c/json.h>

struct otlp_receiver;

struct otlp_receiver *otlp_receiver_start(void);
void otlp_receiver_stop(struct otlp_receiver *receiver);
const char *otlp_receiver_url(const struct otlp_receiver *receiver);
// From now on requests get this status; only with 200 they are kept.
void otlp_receiver_answer(struct otlp_receiver *receiver, int status);
int otlp_receiver_requests(struct otlp_receiver *receiver); // whatever the answer
int otlp_receiver_kept(struct otlp_receiver *receiver);
// The spans of the i-th request that was kept: an array, which is the receiver's.
struct json_object *otlp_receiver_spans(struct otlp_receiver *receiver, int i);

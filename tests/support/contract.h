// Replies of a manager against the API's document: a status, a media type, a header or a body that the document does
// not describe ends the test program. What tests ask a manager goes through here: client_call(), system_stream(), and
// contract_call() where a test makes its calls itself.
#pragma once

#include "services/common/http/client.h"

// http_call(), and the check of the response that came. Any thread.
int contract_call(struct http_client *client, const struct http_call *call, struct http_response *response,
                  struct err *err) WARN_UNUSED;

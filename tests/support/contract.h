// Replies of a manager against the API's document: a status, a media type, a header or a body that the document does
// not describe ends the test program. What tests ask a manager goes through here: client_call(), system_stream(),
// stream readers, and contract_call() where a test makes its calls itself. What programs ask goes through
// contract_proxy.h.
#pragma once

#include "services/common/http/client.h"

// http_call(), and the check of the response that came, unless it went to on_body. Any thread.
int contract_call(struct http_client *client, const struct http_call *call, struct http_response *response,
                  struct err *err) WARN_UNUSED;
// Checks a reply that came otherwise. One that is not whole, such as that of a stream that was left, is checked as far
// as its lines and events are.
void contract_check(const char *method, const char *path, const struct http_response *response, bool is_whole);
// Checks the refusal of what is no request of the API: the document has its status, for requests of any kind. What is
// not even HTTP has a page of the HTTP library.
void contract_check_refusal(const struct http_response *response);
// How many replies were checked. A test that believes in a check asserts that there were some.
size_t contract_count(void);

"""What schemathesis asks of a manager, made short: calls that wait, or follow what has no end yet, would wait for ever.

That they end when they should is what tests/integration/jobmanager is for."""

import schemathesis


@schemathesis.hook
def map_query(context, query):
    """No stream follows; a wait is over at once."""
    if query:
        query.pop("follow", None)
        if "timeout" in query:
            query["timeout"] = "1ms"
        else:
            query.pop("wait", None)
    return query


def hurry(body):
    if isinstance(body, dict) and isinstance(body.get("wait_ms"), int) and body["wait_ms"] > 1:
        body["wait_ms"] = 1


@schemathesis.hook
def map_body(context, body):
    """A poll answers at once."""
    hurry(body)
    if isinstance(body, dict):
        hurry(body.get("poll"))
    return body


@schemathesis.serializer("application/zstd")
def bundle(context, value):
    """Whatever was drawn, as bytes: the content of a bundle is looked at by workers."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")

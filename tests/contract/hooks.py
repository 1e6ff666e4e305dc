"""What schemathesis asks of a manager, made short: calls that wait, or follow what has no end yet, would wait for ever.

That they end when they should is what tests/integration/jobmanager is for."""

import schemathesis


def hurry(body):
    if isinstance(body, dict) and isinstance(body.get("wait_ms"), int) and body["wait_ms"] > 1:
        body["wait_ms"] = 1


@schemathesis.hook
def before_call(context, case, kwargs):
    """In all phases: no stream follows; a wait is over at once, and so is a poll."""
    query = case.query or {}
    query.pop("follow", None)
    if "wait" in query:
        query["timeout"] = "1ms"
    hurry(case.body)
    if isinstance(case.body, dict):
        hurry(case.body.get("poll"))


@schemathesis.serializer("application/zstd")
def bundle(context, value):
    """Whatever was drawn, as bytes: the content of a bundle is looked at by workers."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")

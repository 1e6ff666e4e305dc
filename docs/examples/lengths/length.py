"""Answers one line per task: the number of characters of its text. See docs/reference/job-spec.md, mode: stream."""

import json
import sys

for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = {"ok": True, "outputs": [{"length": len(request["item"]["text"])}]}
    except (KeyError, TypeError) as error:
        answer = {"ok": False, "error": f"the item has no text: {error}"}
    print(json.dumps({"task": request["task"], **answer}), flush=True)

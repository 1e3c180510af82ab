"""The reference of all errors, made from the error table.

`python -m service.api.reference > docs/errors.md` writes it anew.
"""

import sys
from typing import Final

from service.api.errors import ERROR_TABLE, ErrorKind, Problem
from telemetry.spans import OUTCOME_MEANINGS

HEADER: Final = """\
# Errors

Generated from the code by `python -m service.api.reference > docs/errors.md`; don't edit it.

Every error answers as `application/problem+json` (RFC 9457):

```json
{
  "type": "urn:chatterbox:error:unknown_voice",
  "title": "Not Found",
  "status": 404,
  "detail": "No such voice in model piper; available: joe",
  "code": "unknown_voice",
  "request_id": "3f0c1d2e4b5a69788796a5b4c3d2e1f0",
  "trace_id": "0af7651916cd43dd8448eb211c80319c",
  "errors": {"voice": "bob", "model": "piper", "available": ["joe"]}
}
```
"""

FOOTER: Final = """\
- Match on `code`: it stays. `detail` is for people and may change.
- `request_id` is the header `X-Request-ID` of the same answer, and stands in every log line of the request;
  `trace_id` is the one in `traceresponse`.
- An answer with `Retry-After` (in seconds) may be asked for again after that.
- Nothing of `detail` or of the log repeats what the caller sent; `errors` may, and is never logged.
- What fails after the first byte of a stream can't have a status any more: the connection is broken off, so
  that half an answer is never taken for a whole one. Logs and metrics have the code, with outcome `aborted`.
"""


def reference() -> str:
    """The whole of `docs/errors.md`."""
    return "\n".join(
        [
            HEADER,
            "| field | what |",
            "| --- | --- |",
            *(f"| `{name}` | {_meaning(name)} |" for name in Problem.model_fields),
            "",
            "| code | status | outcome | meaning |",
            "| --- | --- | --- | --- |",
            *map(_row, ERROR_TABLE.values()),
            "",
            "| outcome | in metrics and logs |",
            "| --- | --- |",
            *(f"| `{outcome.value}` | {meaning} |" for outcome, meaning in OUTCOME_MEANINGS.items()),
            "",
            FOOTER,
        ]
    )


def _meaning(field: str) -> str:
    return Problem.model_fields[field].description or ""


def _row(kind: ErrorKind) -> str:
    return f"| `{kind.code}` | {kind.status} | `{kind.outcome.value}` | {kind.meaning} |"


if __name__ == "__main__":
    sys.stdout.write(reference())

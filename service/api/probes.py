"""The three probes. They read flags and nothing else, so they answer whatever the engines do."""

from collections.abc import Sequence

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from service.api.context import CurrentService
from service.api.status import Check, Status, model_checks, status

router = APIRouter(tags=["operations"])


def _answer(ok: bool, verbose: str | None, checks: Sequence[Check]) -> Response:
    code = 200 if ok else 503
    if verbose is None:
        return PlainTextResponse("ok" if ok else "not ok", code)
    rows = [{"check": check.name, "ok": check.ok, "reason": check.reason} for check in checks]
    return JSONResponse({"ok": ok, "checks": rows}, code)


@router.get("/livez", summary="Is the process alive")
async def livez(service: CurrentService, verbose: str | None = None) -> Response:
    return _answer(True, verbose, [Check("event loop", True, "answering")])


@router.get("/readyz", summary="Can the service take requests")
async def readyz(service: CurrentService, verbose: str | None = None) -> Response:
    now = status(service)
    full = service.scheduler.full
    checks = [
        Check("status", now.serving, now.value),
        Check("queue", not full, "full" if full else "has room"),
        *model_checks(service),
    ]
    return _answer(now.serving and not full, verbose, checks)


@router.get("/startupz", summary="Has the service started")
async def startupz(service: CurrentService, verbose: str | None = None) -> Response:
    started = status(service) is not Status.STARTING
    return _answer(started, verbose, model_checks(service))

"""Serving: the application under uvicorn, from start to the last flush."""

import gc
import logging
import socket
from contextlib import suppress
from types import FrameType
from typing import Final

import uvicorn
from rich.console import Console

from service.app import create_app, telemetry_settings
from service.config import Settings
from telemetry.logs import event
from telemetry.setup import Telemetry

logger = logging.getLogger(__name__)

KEEP_ALIVE_SECONDS: Final = 75
"""Longer than the idle time of common proxies (60 s), or they meet connections that are just being closed."""

GRACE_SECONDS: Final = 30
"""How long running requests may go on after SIGTERM."""


class Server(uvicorn.Server):
    """Uvicorn's, which says where it listens, and exits with 0 after SIGTERM instead of dying of it."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        app = self.config.app
        service = getattr(getattr(app, "state", None), "service", None)
        if service is not None:
            service.scheduler.draining = True
        # A second signal means it: do not wait for running requests.
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # What start-up made stays; a collection need not walk through it again and again.
        gc.freeze()
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            _announce(f"http://{f'[{host}]' if ':' in host else host}:{port}")


def _announce(address: str) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"\n  Chatterbox Extended listens on [bold]{address}[/], and loads its models: see /readyz")
    console.print(f"  Docs:  {address}/docs")
    console.print(
        f"  Speak: curl {address}/api/v1/tts -H 'Content-Type: application/json' "
        """-d '{"text": "Hello world!"}' -o hello.wav\n"""
    )


def _explain(settings: Settings) -> None:
    address = f"{settings.server.host}:{settings.server.port}"
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        f"\n  The service could not start on {address}; the log above says why. If the address is in use,\n"
        "  choose another port: --port 7861, or CHATTERBOX_SERVER__PORT=7861\n",
        style="red",
    )


def run(settings: Settings) -> int:
    """Serve until a signal comes; returns the exit status."""
    telemetry = Telemetry(telemetry_settings(settings))
    try:
        event(logger, logging.INFO, "Starting Chatterbox TTS Extended Plus API")
        server = Server(
            uvicorn.Config(
                create_app(settings, telemetry),
                host=settings.server.host,
                port=settings.server.port,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        with suppress(SystemExit):  # uvicorn's way to say that it could not start
            server.run()
        event(logger, logging.INFO, "Shutting down application")
        if not server.started:
            _explain(settings)
            return 1
        return 0
    finally:
        telemetry.shutdown()

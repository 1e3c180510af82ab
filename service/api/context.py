"""What every route may need, in one place: the parts of the running service."""

from dataclasses import dataclass
from importlib.metadata import version
from typing import Annotated, Final

from fastapi import Depends, Request

from service.config import Settings
from service.engines.registry import ModelRegistry
from service.scheduling.scheduler import Scheduler
from service.speech.loudness import LoudnessBook
from service.speech.synthesis import SpeechLimits
from telemetry.setup import Telemetry
from telemetry.system import System

VERSION: Final = version("chatterbox-extended")


@dataclass(slots=True)
class Service:
    """The running service."""

    settings: Settings
    telemetry: Telemetry
    system: System
    registry: ModelRegistry
    scheduler: Scheduler
    limits: SpeechLimits
    loudness: LoudnessBook


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


CurrentService = Annotated[Service, Depends(_service)]

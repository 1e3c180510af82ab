"""What state the service is in, decided in one place for health and probes."""

from dataclasses import dataclass
from enum import StrEnum

from service.api.context import Service
from service.engines.registry import ModelState


class Status(StrEnum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    STARTING = "starting"
    DRAINING = "draining"

    @property
    def serving(self) -> bool:
        return self in (Status.HEALTHY, Status.DEGRADED)


@dataclass(frozen=True, slots=True)
class Check:
    """One condition. `ok` is None where it does not matter now, such as a model that loads on demand."""

    name: str
    ok: bool | None
    reason: str


def model_checks(service: Service) -> list[Check]:
    checks = []
    for model in service.registry.models.values():
        state = model.state
        on_demand = state is ModelState.UNLOADED and (not model.settings.preload or model.was_loaded)
        ok = None if on_demand else state is ModelState.READY
        checks.append(Check(f"model {model.name}", ok, model.problem or state.value))
    return checks


def status(service: Service) -> Status:
    """Healthy: every model that must be there is. Degraded: some are. Unhealthy: none is."""
    if service.scheduler.draining:
        return Status.DRAINING
    if service.registry.starting:
        return Status.STARTING
    checks = model_checks(service)
    if all(check.ok is not False for check in checks):
        return Status.HEALTHY
    return Status.DEGRADED if any(check.ok is not False for check in checks) else Status.UNHEALTHY

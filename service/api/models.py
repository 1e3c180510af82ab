"""`GET /api/v1/models`: what can speak and listen, with capabilities and state."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from service.api.context import CurrentService
from service.engines.registry import Model

router = APIRouter(tags=["models"])


class VoiceEntry(BaseModel):
    name: str
    language: str
    sample_rate: int = Field(description="Hz")
    description: str


class ModelEntry(BaseModel):
    name: str = Field(description="What requests call it.")
    engine: str
    operations: list[str]
    state: str = Field(description="unloaded, loading, ready or failed")
    problem: str | None = Field(description="Why it could not be loaded.")
    default: bool
    streaming: bool
    cloning: bool
    parameters: list[str] = Field(description="The request parameters that it honours.")
    voices: list[VoiceEntry] = Field(description="Known once the model is loaded.")
    default_voice: str


class ModelList(BaseModel):
    models: list[ModelEntry]


def _entry(model: Model, default: str) -> ModelEntry:
    engine = model.engine
    return ModelEntry(
        name=model.name,
        engine=engine.kind,
        operations=sorted(engine.capabilities.operations),
        state=model.state.value,
        problem=model.problem,
        default=model.name == default,
        streaming=engine.capabilities.streaming,
        cloning=engine.capabilities.cloning,
        parameters=sorted(engine.capabilities.parameters),
        voices=[
            VoiceEntry(
                name=voice.name,
                language=voice.language,
                sample_rate=voice.sample_rate,
                description=voice.description,
            )
            for voice in engine.voices.values()
        ],
        default_voice=engine.default_voice,
    )


@router.get("/api/v1/models", summary="The configured models")
async def list_models(service: CurrentService) -> ModelList:
    registry = service.registry
    return ModelList(models=[_entry(model, registry.default) for model in registry.models.values()])

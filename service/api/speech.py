"""`POST /api/v1/tts`: text in, audio out."""

import asyncio
import base64
import binascii
import logging
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from service.api.audio_response import SpeechAnswer, SpeechResponse
from service.api.context import CurrentService, Service
from service.api.errors import problem_responses
from service.engines.registry import Model
from service.errors import EngineLoading, InvalidAudio, NotAcceptable
from service.speech.codec import FORMATS, audio_format
from service.speech.synthesis import MAX_SEED, SpeechRequest, Synthesis
from service.speech.text import Cleanup
from telemetry import metrics
from telemetry.logs import event

logger = logging.getLogger(__name__)
router = APIRouter(tags=["speech"])

LOAD_WAIT_SECONDS = 10
"""How long a request waits for its model to be loaded before it is told to come back."""


class SpeechBody(BaseModel):
    """What to say and how. Parameters that the engine can't honour come back as warnings."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        json_schema_extra={"examples": [{"text": "Hello world! This is a test.", "format": "mp3"}]},
    )

    text: str = Field(description="What to say.")
    model: str | None = Field(None, description="A configured model; the default one if not given.")
    voice: str | None = Field(None, description="A voice of the model; its default one if not given.")
    reference_audio: str | None = Field(None, description="A voice to imitate: audio of any format, base64.")
    temperature: float | None = Field(None, ge=0, le=2, description="How freely the engine varies.")
    seed: int | None = Field(None, ge=0, le=MAX_SEED, description="0 or nothing: drawn, and told.")
    exaggeration: float | None = Field(None, ge=0, le=2, description="How strongly emotion is played.")
    cfg_weight: float | None = Field(None, ge=0, le=1, description="How closely the voice is followed.")
    speed: float | None = Field(None, ge=0.25, le=4, description="1 is the voice's own pace.")
    format: str | None = Field(None, description=f"One of {', '.join(FORMATS)}.")
    sample_rate: int | None = Field(None, ge=8000, le=48000, description="Hz; the voice's own if not given.")
    normalize: bool = Field(False, description="Bring the voice to the operator's loudness (EBU R 128).")
    trim: bool = Field(False, description="Cut silence at the start and the end.")
    normalize_text: bool = Field(True, description="Write out numbers, dates, currency, units.")
    normalize_spacing: bool = Field(False, description="Clean up runs of blanks.")
    fix_dot_letters: bool = Field(False, description='"J.R.R." is spoken "J R R".')
    remove_reference_numbers: bool = Field(False, description="Leave out references such as [12].")
    to_lowercase: bool = Field(False, description="Speak the text in lower case.")
    stream: bool = Field(False, description="Send audio while the rest is still being made.")


def _request(body: SpeechBody, service: Service) -> SpeechRequest:
    return SpeechRequest(
        text=body.text,
        format=audio_format(service.settings.speech.default_format if body.format is None else body.format),
        voice=body.voice,
        sample_rate=body.sample_rate,
        speed=body.speed,
        temperature=body.temperature,
        seed=body.seed,
        exaggeration=body.exaggeration,
        cfg_weight=body.cfg_weight,
        reference_audio=_decoded(body.reference_audio),
        normalize=body.normalize,
        trim=body.trim,
        normalize_text=body.normalize_text,
        cleanup=Cleanup(
            normalize_spacing=body.normalize_spacing,
            fix_dot_letters=body.fix_dot_letters,
            remove_reference_numbers=body.remove_reference_numbers,
            to_lowercase=body.to_lowercase,
        ),
        streamed=body.stream,
    )


def _decoded(audio: str | None) -> bytes | None:
    if audio is None:
        return None
    try:
        return base64.b64decode(audio, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidAudio("reference_audio is not valid base64") from error


def _wanted_form(request: Request, stream: bool) -> Literal["audio", "json"]:
    accept = request.headers.get("accept", "*/*")
    kinds = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    if "application/json" not in kinds:
        return "audio"
    if stream:
        raise NotAcceptable("A stream can't be JSON; ask for audio, or leave out stream")
    return "json"


async def loaded(model: Model) -> None:
    """Wait until a model can work.

    Raises:
        EngineLoading: it takes longer than a caller should wait.
        EngineUnavailable: it can't be loaded.
    """
    load = model.load()
    if load.done():
        load.result()
        return
    loading = asyncio.wrap_future(load)
    done, _ = await asyncio.wait([loading], timeout=LOAD_WAIT_SECONDS)
    if not done:
        loading.add_done_callback(_ignore_result)
        metrics.REJECTED.labels("engine_loading").inc()
        raise EngineLoading(f"Model {model.name} is still loading", retry_after=LOAD_WAIT_SECONDS)
    loading.result()


def _ignore_result(loading: "asyncio.Future[None]") -> None:
    """Take the result of a future that nobody waits for any more, or asyncio logs its failure as lost."""
    if not loading.cancelled():
        loading.exception()


@router.post(
    "/api/v1/tts",
    summary="Speak a text",
    response_class=Response,
    responses={
        200: {
            "description": "The audio, or JSON with the same facts if `Accept` asks for that.",
            "model": SpeechAnswer,
            "content": {fmt.media_type(24_000).partition(";")[0]: {} for fmt in FORMATS.values()},
        },
        **problem_responses(400, 404, 406, 413, 415, 500, 503),
    },
)
async def speak(request: Request, body: Annotated[SpeechBody, Body()], service: CurrentService) -> Response:
    """Audio comes back as the body; the seed, the duration and warnings stand in headers.

    With `stream` the first audio leaves as soon as the first clause is spoken. `Accept: application/json`
    gives the audio as base64 with the same facts.
    """
    redactor = service.telemetry.redactor
    event(
        logger,
        logging.INFO,
        "Request body received",
        fields={
            "body": redactor.body(body.model_dump(exclude_unset=True)),
            "body_size_bytes": int(request.headers.get("content-length", 0)),
        },
    )
    form = _wanted_form(request, body.stream)
    asked = _request(body, service)
    asked.check(service.limits)
    model = service.registry.get(body.model)
    await loaded(model)
    with model.lease() as engine:
        synthesis = Synthesis(asked, model.name, engine, service.limits, service.loudness)
    event(
        logger,
        logging.INFO,
        f"Starting TTS generation for text: {redactor.text(body.text)}",
        operation="tts_generation",
        data={"text_length": len(body.text), "parameters": _parameters(body)},
    )
    if body.reference_audio is not None:
        event(
            logger,
            logging.INFO,
            f"Using reference audio: {redactor.text(body.reference_audio)}",
            operation="tts_generation",
        )
    return SpeechResponse(synthesis, model, service.scheduler, as_json=form == "json")


def _parameters(body: SpeechBody) -> dict[str, object]:
    return body.model_dump(
        exclude_unset=True, exclude={"text", "reference_audio", "model", "voice", "format"}
    )

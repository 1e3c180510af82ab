"""The command line: serve, speak, doctor."""

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from service.config import Settings, load_settings
from service.errors import ServiceError, SettingsError

cli = typer.Typer(
    name="chatterbox",
    help="Speech as a service, native to Prometheus and OpenTelemetry.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
errors = Console(stderr=True, soft_wrap=True)

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file; config.yaml of the working directory if there."),
]

EXIT_SETTINGS = 2


def _settings(config: Path | None, overrides: dict[str, object] | None = None) -> Settings:
    try:
        return load_settings(config, overrides=overrides)
    except SettingsError as error:
        errors.print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(EXIT_SETTINGS) from error


@cli.command()
def serve(
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 for any that is free.")] = None,
) -> None:
    """Serve the API."""
    asked = {"server.host": host, "server.port": port}
    settings = _settings(config, {name: value for name, value in asked.items() if value is not None})
    from service.server import run  # loads the whole service, which the other commands don't need

    raise typer.Exit(run(settings))


@cli.command()
def speak(
    text: Annotated[str, typer.Argument(help='What to say; "-" reads standard input.')],
    output: Annotated[Path, typer.Option("-o", "--output", help="Audio file; its suffix is the format.")],
    config: ConfigOption = None,
    model: Annotated[str | None, typer.Option(help="A configured model.")] = None,
    voice: Annotated[str | None, typer.Option(help="A voice of the model.")] = None,
    speed: Annotated[float | None, typer.Option(min=0.25, max=4, help="1 is the voice's own pace.")] = None,
    sample_rate: Annotated[int | None, typer.Option(min=8000, max=48000, help="Hz.")] = None,
    normalize: Annotated[bool, typer.Option(help="Bring the voice to the set loudness.")] = False,
    trim: Annotated[bool, typer.Option(help="Cut silence at the start and the end.")] = False,
) -> None:
    """Speak a text into a file, with no server."""
    settings = _settings(config)
    from service.speech.file import FileRequest, speak_to_file

    words = sys.stdin.read() if text == "-" else text
    request = FileRequest(words, output, model, voice, speed, sample_rate, normalize, trim)
    try:
        spoken = speak_to_file(request, settings, errors)
    except ServiceError as error:
        errors.print(f"{error.code}: {error.message}", style="red", markup=False, highlight=False)
        raise typer.Exit(1) from error
    except OSError as error:
        errors.print(f"{output}: {error.strerror}", style="red", markup=False, highlight=False)
        raise typer.Exit(1) from error
    for warning in spoken.warnings:
        errors.print(f"warning: {warning}", style="yellow", markup=False)
    errors.print(f"{output}: {spoken.seconds:.2f} s, voice {spoken.voice}", highlight=False)


@cli.command()
def doctor(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Tell what is installed, which weights are where, which device, what is missing and how to get it."""
    from service.doctor import examine, show

    report = examine(_settings(config))
    show(report, as_json=as_json)
    raise typer.Exit(0 if report.healthy else 1)


def main() -> None:
    logging.raiseExceptions = False
    cli()


if __name__ == "__main__":
    main()

"""Settings: what a file, the environment and the command line may say, and what is told about mistakes."""

import json
import re
import string
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from service.config import PathSettings, PiperModel, Settings, load_settings
from service.config.reference import reference
from service.config.shape import setting_names, variables
from service.errors import SettingsError

ROOT = Path(__file__).parent.parent

# The file's folder is a fixture, and each example writes the file anew.
several_examples = hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(
    text: str = "", environ: Mapping[str, str] | None = None, overrides: Mapping[str, object] | None = None
) -> Settings:
    Path("config.yaml").write_text(text, encoding="utf-8")
    return load_settings(environ=environ or {}, overrides=overrides)


def problems(
    text: str = "", environ: Mapping[str, str] | None = None, overrides: Mapping[str, object] | None = None
) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(text, environ, overrides)
    # A chained pydantic error would print what it was given, secrets included.
    assert caught.value.__context__ is None
    return caught.value.message.splitlines()


class TestDefaults:
    def test_without_a_file_everything_has_its_default(self) -> None:
        settings = load_settings(environ={})
        assert settings == Settings()
        assert (settings.server.host, settings.server.port) == ("127.0.0.1", 7860)
        assert {value.source for value in settings.effective().values()} == {"default"}

    def test_the_shipped_file_holds_every_setting_at_its_default(self) -> None:
        shipped = load_settings(ROOT / "config.yaml", {})
        # The log file is there as a comment, or it would not follow paths.logs_dir.
        unset = [name for name, value in shipped.effective().items() if value.source == "default"]
        assert unset == ["server.log_file_path"]
        assert '# log_file_path: "logs/chatterbox_extended.log"' in (ROOT / "config.yaml").read_text()
        defaults = {name: value.value for name, value in Settings().effective().items()}
        assert {name: value.value for name, value in shipped.effective().items()} == defaults

    def test_an_empty_section_is_like_none(self) -> None:
        assert load("server:\n  # port: 1\nmodels:\n").effective() == Settings().effective()

    def test_the_log_file_follows_the_logs_folder(self) -> None:
        assert load("paths: {logs_dir: /var/log/tts}").server.log_file_path == (
            "/var/log/tts/chatterbox_extended.log"
        )
        assert Settings(paths=PathSettings(logs_dir=Path("x"))).server.log_file_path == (
            "x/chatterbox_extended.log"
        )

    def test_a_log_file_that_is_given_does_not(self) -> None:
        assert load("paths: {logs_dir: a}\nserver: {log_file_path: b.log}").server.log_file_path == "b.log"

    def test_an_empty_log_file_is_the_console_only(self) -> None:
        assert load('server: {log_file_path: ""}').server.log_file_path == ""
        assert load(environ={"CHATTERBOX_LOG_FILE": ""}).server.log_file_path == ""

    def test_the_first_model_and_voice_are_the_default_ones(self) -> None:
        settings = load("models: {b: {engine: piper, voices: {y: y.onnx, x: x.onnx}}, a: {engine: piper}}")
        model = settings.models["b"]
        assert settings.speech.default_model == "b"
        assert isinstance(model, PiperModel)
        assert model.default_voice == "y"


class TestSeed:
    """The snippets of the monitoring guide, verbatim."""

    LOGGING = """\
server:
  log_level: "INFO"                           # DEBUG, INFO, WARNING, ERROR, CRITICAL
  log_file_path: "logs/chatterbox_extended.log"  # Log file location
  log_file_max_size_mb: 10                    # Max log file size before rotation
  log_file_backup_count: 5                    # Number of backup files to keep

paths:
  logs_dir: "logs"                            # Directory for log files
"""
    PERFORMANCE = """\
api:
  max_text_length: 10000                      # Maximum text length for TTS
  cleanup_temp_files: true                    # Enable automatic cleanup
  enable_url_downloads: true                  # Allow URL downloads for audio
  download_timeout_seconds: 30                # Timeout for URL downloads
"""

    def test_logging(self) -> None:
        settings = load(self.LOGGING)
        assert settings.server.log_file_max_size_mb == 10
        assert settings.effective()["server.log_file_backup_count"] == (5, "config.yaml:5")
        assert settings.effective()["paths.logs_dir"] == ("logs", "config.yaml:8")

    def test_url_downloads_are_refused(self) -> None:
        assert problems(self.PERFORMANCE) == [
            "config.yaml:4: api.enable_url_downloads: can't be true: "
            "this version fetches no audio from URLs; set it to false and upload the audio with the request"
        ]

    def test_without_url_downloads_it_is_accepted(self) -> None:
        text = self.PERFORMANCE.replace("downloads: true", "downloads: false")
        assert load(text).api.download_timeout_seconds == 30

    def test_variables(self) -> None:
        environ = {"CHATTERBOX_LOG_LEVEL": "DEBUG", "CHATTERBOX_LOG_FILE": "/var/log/chatterbox/app.log"}
        settings = load(self.LOGGING, environ)
        assert settings.effective()["server.log_level"] == ("DEBUG", "CHATTERBOX_LOG_LEVEL")
        assert settings.effective()["server.log_file_path"] == (
            "/var/log/chatterbox/app.log",
            "CHATTERBOX_LOG_FILE",
        )


class TestPrecedence:
    def test_the_command_line_beats_the_environment_beats_the_file(self) -> None:
        text = "server: {port: 1, host: file}\nspeech: {default_format: mp3}"
        environ = {"CHATTERBOX_SERVER__PORT": "2", "CHATTERBOX_SERVER__HOST": "environment"}
        settings = load(text, environ, {"server.port": 3, "server.log_level": None})
        effective = settings.effective()
        assert effective["server.port"] == (3, "command line")
        assert effective["server.host"] == ("environment", "CHATTERBOX_SERVER__HOST")
        assert effective["speech.default_format"] == ("mp3", "config.yaml:2")
        assert effective["server.log_level"] == ("INFO", "default")

    def test_a_variable_adds_to_a_model_and_a_json_map_replaces_all(self) -> None:
        models = json.dumps({"big": {"engine": "piper", "voices": {"amy": "amy.onnx"}, "preload": False}})
        environ = {"CHATTERBOX_MODELS__BIG__THREADS": "2", "CHATTERBOX_MODELS": models}
        effective = load("models: {small: {engine: piper}}", environ).effective()
        assert {name.split(".")[1] for name in effective if name.startswith("models.")} == {"big"}
        assert effective["models.big.preload"] == (False, "CHATTERBOX_MODELS")
        assert effective["models.big.threads"] == (2, "CHATTERBOX_MODELS__BIG__THREADS")

    def test_what_a_json_map_leaves_out_is_a_default(self) -> None:
        text = "models: {big: {engine: piper, preload: false}}"
        settings = load(text, {"CHATTERBOX_MODELS__BIG": '{"engine": "piper"}'})
        assert settings.effective()["models.big.preload"] == (True, "default")

    def test_a_variable_reaches_into_the_default_model(self) -> None:
        model = load(environ={"CHATTERBOX_MODELS__PIPER__THREADS": "2"}).models["piper"]
        assert model == PiperModel(threads=2)

    def test_a_variable_finds_a_voice_whatever_its_case(self) -> None:
        text = "models: {piper: {engine: piper, voices: {en_US-Amy: a.onnx}}}"
        model = load(text, {"CHATTERBOX_MODELS__PIPER__VOICES__EN_US-AMY": "b.onnx"}).models["piper"]
        assert isinstance(model, PiperModel)
        assert model.voices == {"en_US-Amy": "b.onnx"}

    def test_an_empty_variable_unsets_what_can_be_unset(self) -> None:
        settings = load("scheduling: {concurrency: 2}", {"CHATTERBOX_SCHEDULING__CONCURRENCY": ""})
        assert settings.scheduling.concurrency is None

    def test_another_file(self, folder: Path) -> None:
        (folder / "other.yaml").write_text("server: {port: 1}")
        settings = load_settings(folder / "other.yaml", {})
        assert settings.effective()["server.port"] == (1, f"{folder}/other.yaml:1")


class TestText:
    """Values are read from their text, whatever YAML 1.1 makes of it."""

    def test_off_is_a_word_to_a_choice_and_false_to_a_switch(self) -> None:
        settings = load("logging: {client_address: off, console: off}")
        assert settings.logging.client_address == "off"
        assert settings.logging.console is False

    def test_a_leading_zero_is_not_octal(self) -> None:
        assert load("server: {log_file_max_size_mb: 010}").server.log_file_max_size_mb == 10

    def test_levels_are_known_in_any_case(self) -> None:
        assert load("server: {log_level: warning}").server.log_level == "WARNING"

    def test_an_alias_repeats_a_value(self) -> None:
        text = "models:\n  a: &a {engine: piper, threads: 3}\n  b: *a\n"
        assert load(text).models["b"] == PiperModel(threads=3)

    def test_a_byte_order_mark_is_no_key(self) -> None:
        assert load("\ufeffserver: {port: 1}").server.port == 1


# What is written, and the one problem that is told.
FILE_PROBLEMS = {
    "server:\n  prot: 1": "config.yaml:2: server.prot: unknown key (did you mean port?)",
    "api:\n\n  max_text_lenght: 1": (
        "config.yaml:3: api.max_text_lenght: unknown key (did you mean max_text_length?)"
    ),
    "port: 1": "config.yaml:1: port: unknown key (did you mean server.port?)",
    "sevrer: {port: 1}": "config.yaml:1: sevrer: unknown key (did you mean server?)",
    "server: {zebra: 1}": "config.yaml:1: server.zebra: unknown key",
    "server: {drain_seconds: 5}": "config.yaml:1: server.drain_seconds: unknown key",
    '"a\\nb": 1': "config.yaml:1: 'a\\nb': unknown key",
    "server:\n  port: 65536": (
        "config.yaml:2: server.port: should be less than or equal to 65535 (it is '65536')"
    ),
    "server: {port: true}": "config.yaml:1: server.port: should be a valid integer (it is 'true')",
    "server: {port: 1.5}": "config.yaml:1: server.port: should be a valid integer (it is '1.5')",
    "server:\n  log_file_path:": (
        "config.yaml:2: server.log_file_path: has no value (leave the key out for its default)"
    ),
    "server: {host: ''}": "config.yaml:1: server.host: should have at least 1 character",
    "server: {log_rotation: hourly}": (
        "config.yaml:1: server.log_rotation: should be 'size' or 'daily' (it is 'hourly')"
    ),
    "server: 5": "config.yaml:1: server: should be a map of keys and values",
    "paths: {temp_dir: ''}": (
        'config.yaml:1: paths.temp_dir: should not be empty; the working directory is "."'
    ),
    "api: {cleanup_temp_files: false}": (
        "config.yaml:1: api.cleanup_temp_files: can't be false: "
        "the service leaves no temporary files behind and has no way to keep them"
    ),
    "api: {download_timeout_seconds: 31}": (
        "config.yaml:1: api.download_timeout_seconds: can't be changed: "
        "this version fetches no audio from URLs; leave it out, or at 30"
    ),
    "models: {}": "config.yaml:1: models: should have at least 1 item",
    "models:\n  Big One: {engine: piper}": (
        "config.yaml:2: models.'Big One': the name should match pattern '^[a-z0-9][a-z0-9._-]{0,63}$'"
    ),
    "models:\n  a:\n    engine: pipr": (
        "config.yaml:3: models.a.engine: no such engine 'pipr'; available engines: piper"
    ),
    "models:\n  a:": "config.yaml:2: models.a.engine: is missing; available engines: piper",
    "models: {a: {engine: piper, treads: 2}}": (
        "config.yaml:1: models.a.treads: unknown key (did you mean threads?)"
    ),
    "models: {a: {engine: piper, idle_unload_seconds: inf}}": (
        "config.yaml:1: models.a.idle_unload_seconds: should be a finite number (it is 'inf')"
    ),
    "models:\n  a:\n    engine: piper\n    default_voice: amy": (
        "config.yaml:4: models.a.default_voice: no such voice 'amy'; there is joe"
    ),
    "speech:\n  default_model: no": "config.yaml:2: speech.default_model: no such model 'no'; there is piper",
    "speech: {default_model: '{a}'}": (
        "config.yaml:1: speech.default_model: no such model '{a}'; there is piper"
    ),
    "speech:\n  piece_characters: 70": (
        "config.yaml:1: speech.first_piece_characters: "
        "should be at most speech.piece_characters, which is 70 (it is 80)"
    ),
    "telemetry: {enabled: maybe}": (
        "config.yaml:1: telemetry.enabled: should be a valid boolean (it is 'maybe')"
    ),
    "telemetry: {voice_labels: joe}": "config.yaml:1: telemetry.voice_labels: should be a valid list",
    "telemetry: {otlp_endpoint: 'ftp://x'}": (
        "config.yaml:1: telemetry.otlp_endpoint: should be a URL like http://localhost:4317"
    ),
    "telemetry: {otlp_protocol: http/protobuf, otlp_endpoint: 'localhost:4318'}": (
        "config.yaml:1: telemetry.otlp_endpoint: should be a URL like http://localhost:4317"
    ),
    "server:\n  port: 1\n  host: a\n  port: 2": "config.yaml:4: server.port: set twice, first on line 2",
    "server: {port: 1}\npaths: {}\nserver: {}": "config.yaml:3: server: set twice, first on line 1",
    "server:\n\tport: 1": "config.yaml:2: is not YAML: found character that cannot start any token",
    "server: {}\n--- \nserver: {}": "config.yaml:2: is not YAML: but found another document",
    "server: {}\n# \x07": "config.yaml:2: is not YAML: control character",
    'a: "\\U99999999"': "config.yaml: is not YAML: there is no such character",
    "a: &a [*a]": "config.yaml: is nested too deeply",
    "- server": "config.yaml:1: should hold sections, like `server:`",
    "? [a]\n: b": "config.yaml:1: a key should be a plain word",
}

VARIABLE_PROBLEMS = {
    ("CHATTERBOX_SERVER__PORT", "x"): (
        "CHATTERBOX_SERVER__PORT: server.port: should be a valid integer (it is 'x')"
    ),
    ("Chatterbox_Log_Level", "loud"): (
        "Chatterbox_Log_Level: server.log_level: should be "
        "'DEBUG', 'INFO', 'WARNING', 'ERROR' or 'CRITICAL' (it is 'loud')"
    ),
    ("CHATTERBOX_LOG_LEVLE", "INFO"): (
        "CHATTERBOX_LOG_LEVLE: unknown setting (did you mean CHATTERBOX_LOG_LEVEL?)"
    ),
    ("CHATTERBOX_PORT", "8000"): ("CHATTERBOX_PORT: unknown setting (did you mean CHATTERBOX_SERVER__PORT?)"),
    ("CHATTERBOX_SERVER", "{}"): "CHATTERBOX_SERVER: server: is a section; set its keys one by one",
    ("CHATTERBOX_SERVER__PORT__X", "1"): (
        "CHATTERBOX_SERVER__PORT__X: unknown setting (did you mean CHATTERBOX_SERVER__PORT?)"
    ),
    ("CHATTERBOX_TELEMETRY__SERVICE_NAM", "x"): (
        "CHATTERBOX_TELEMETRY__SERVICE_NAM: unknown setting "
        "(did you mean CHATTERBOX_TELEMETRY__SERVICE_NAME?)"
    ),
    ("CHATTERBOX_MODELS__PIPER__TREADS", "1"): (
        "CHATTERBOX_MODELS__PIPER__TREADS: unknown setting (did you mean CHATTERBOX_MODELS__PIPER__THREADS?)"
    ),
    ("CHATTERBOX_ZEBRA", "1"): "CHATTERBOX_ZEBRA: unknown setting",
    ("CHATTERBOX_MODELS__B__THREADS", "1"): (
        "CHATTERBOX_MODELS__B__THREADS: models.b.engine: is missing; available engines: piper"
    ),
    ("CHATTERBOX_TELEMETRY__VOICE_LABELS", "joe"): (
        "CHATTERBOX_TELEMETRY__VOICE_LABELS: telemetry.voice_labels: "
        "should be JSON: Expecting value at character 1"
    ),
    ("CHATTERBOX_MODELS", '{"a": {"engine": "piper", "threads": true}}'): (
        "CHATTERBOX_MODELS: models.a.threads: should be a valid integer (it is 'true')"
    ),
}

OVERRIDE_PROBLEMS = {
    ("server.prot", 1): "command line: server.prot: unknown setting (did you mean port?)",
    ("server", 1): "command line: server: is a section; set its keys one by one",
    ("server.port", 70_000): (
        "command line: server.port: should be less than or equal to 65535 (it is '70000')"
    ),
    ("server.port", True): "command line: server.port: should be a valid integer (it is 'true')",
}


class TestProblems:
    @pytest.mark.parametrize(("text", "problem"), FILE_PROBLEMS.items())
    def test_in_the_file(self, text: str, problem: str) -> None:
        assert problems(text) == [problem]

    @pytest.mark.parametrize(("variable", "problem"), VARIABLE_PROBLEMS.items())
    def test_in_the_environment(self, variable: tuple[str, str], problem: str) -> None:
        assert problems(environ=dict([variable])) == [problem]

    @pytest.mark.parametrize(("override", "problem"), OVERRIDE_PROBLEMS.items())
    def test_on_the_command_line(self, override: tuple[str, object], problem: str) -> None:
        assert problems(overrides=dict([override])) == [problem]

    def test_a_variable_of_brackets(self) -> None:
        (problem,) = problems(environ={"CHATTERBOX_TELEMETRY__VOICE_LABELS": "[" * 100_000})
        assert problem.endswith("telemetry.voice_labels: should be JSON: it is nested too deeply")

    def test_all_are_told_at_once_in_the_order_of_the_places(self) -> None:
        text = "speech:\n  piece_characters: x\nserver:\n  port: 1\n  port: 2\n  prot: 3\nmodels: {a: {}}"
        assert [
            problem.split(": ")[0]
            for problem in problems(text, {"CHATTERBOX_X": ""}, {"api.max_body_bytes": 1})
        ] == [
            "config.yaml:2",
            "config.yaml:5",
            "config.yaml:6",
            "config.yaml:7",
            "CHATTERBOX_X",
            "command line",
        ]

    def test_a_file_that_is_no_yaml_does_not_hide_the_environment(self) -> None:
        assert len(problems("[", {"CHATTERBOX_ZEBRA": "1"})) == 2

    def test_a_variable_in_a_section_that_is_none_does_not_hide_it(self) -> None:
        assert problems("server: 5", {"CHATTERBOX_SERVER__PORT": "1"}) == [
            "config.yaml:1: server: should be a map of keys and values"
        ]

    def test_two_names_for_one_setting(self) -> None:
        environ = {"CHATTERBOX_LOG_LEVEL": "INFO", "CHATTERBOX_SERVER__LOG_LEVEL": "DEBUG"}
        assert problems(environ=environ) == [
            "CHATTERBOX_SERVER__LOG_LEVEL: server.log_level: set twice, also by CHATTERBOX_LOG_LEVEL"
        ]

    def test_a_file_that_is_not_there(self) -> None:
        with pytest.raises(SettingsError, match=r"^no/such\.yaml: there is no such file$"):
            load_settings(Path("no/such.yaml"), {})

    def test_a_file_that_is_a_folder(self, folder: Path) -> None:
        with pytest.raises(SettingsError, match=r": can't be read: Is a directory$"):
            load_settings(folder, {})

    def test_a_file_that_is_not_utf8(self) -> None:
        Path("config.yaml").write_bytes("server: {host: é}".encode("latin-1"))
        with pytest.raises(SettingsError, match=r"^config\.yaml: is not UTF-8 text$"):
            load_settings(environ={})


class TestKubernetes:
    @pytest.mark.parametrize("service", ["CHATTERBOX", "CHATTERBOX_EXTENDED"])
    def test_what_it_injects_is_passed_over(self, service: str) -> None:
        injected = {
            f"{service}_SERVICE_HOST": "10.0.0.11",
            f"{service}_SERVICE_PORT": "7860",
            f"{service}_SERVICE_PORT_HTTP": "7860",
            f"{service}_PORT": "tcp://10.0.0.11:7860",
            f"{service}_PORT_7860_TCP": "tcp://10.0.0.11:7860",
            f"{service}_PORT_7860_TCP_PROTO": "tcp",
            f"{service}_PORT_7860_TCP_PORT": "7860",
            f"{service}_PORT_7860_TCP_ADDR": "10.0.0.11",
            f"{service}_PORT_53_UDP_PROTO": "udp",
        }
        assert load(environ=injected).effective() == Settings().effective()

    def test_it_does_not_shadow_a_setting_that_looks_alike(self) -> None:
        settings = load(environ={"CHATTERBOX_TELEMETRY__SERVICE_NAME": "tts"})
        assert settings.telemetry.service_name == "tts"

    def test_variables_of_others_are_none_of_ours(self) -> None:
        assert load(environ={"CHATTERBOXPORT": "x", "PATH": "/bin", "XCHATTERBOX_PORT": "1"})


class TestSecrets:
    SECRET = "Bearer hunter2"

    def test_they_reach_the_exporter_and_nobody_else(self) -> None:
        settings = load(environ={"CHATTERBOX_TELEMETRY__OTLP_HEADERS__AUTHORIZATION": self.SECRET})
        assert settings.telemetry.otlp_headers["authorization"].get_secret_value() == self.SECRET
        assert settings.effective()["telemetry.otlp_headers.authorization"] == (
            "**********",
            "CHATTERBOX_TELEMETRY__OTLP_HEADERS__AUTHORIZATION",
        )
        for shown in (repr(settings), str(settings), settings.model_dump_json(), str(settings.effective())):
            assert "hunter2" not in shown

    @pytest.mark.parametrize(
        ("text", "environ"),
        [
            ("telemetry: {otlp_headers: Bearer hunter2}", {}),
            ("telemetry: {otlp_headers: {Bearer hunter2}}", {}),
            ("telemetry: {otlp_headers: {Bearer hunter2, Bearer hunter2}}", {}),
            ("telemetry: {otlp_headers: {a: [hunter2]}}", {}),
            ("telemetry: {otlp_headers: {a: *hunter2}}", {}),
            ("telemetry: {otlp_header: {a: hunter2}}", {}),
            ("telemetry: {otlp_endpoint: 'http://me:hunter2@x'}", {}),
            ("telemetry: {otlp_endpoint: 'http://x/?key=hunter2'}", {}),
            ("", {"CHATTERBOX_TELEMETRY__OTLP_HEADERS": "hunter2"}),
            ("", {"CHATTERBOX_TELEMETRY__OTLP_HEADERS": '["hunter2"]'}),
            ("", {"CHATTERBOX_TELEMETRY__OTLP_HEADER__KEY": "hunter2"}),
        ],
    )
    def test_no_problem_shows_one(self, text: str, environ: dict[str, str]) -> None:
        told = problems(text, environ)
        assert "hunter2" not in "".join(told)
        assert all("telemetry" in problem.lower() or "alias" in problem for problem in told)


class TestProperties:
    ALL_NAMES = tuple(name for keys in setting_names(Settings) for name in variables(keys))

    @given(name=st.sampled_from(ALL_NAMES), data=st.data())
    @several_examples
    def test_a_slip_in_a_variable_is_answered_with_its_name(self, name: str, data: st.DataObject) -> None:
        place = data.draw(st.integers(len("CHATTERBOX_"), len(name) - 1))
        slip = name[:place] + name[place + 1 :]
        if slip not in self.ALL_NAMES:
            (problem,) = problems(environ={slip: ""})
            assert problem == f"{slip}: unknown setting (did you mean {name}?)"

    @given(
        port=st.integers(0, 65535),
        ratio=st.floats(0, 1),
        console=st.booleans(),
        host=st.text(string.printable.replace("\x0b", "").replace("\x0c", ""), min_size=1),
        labels=st.lists(st.text(string.ascii_letters + " {}:#'\"", min_size=1)),
        threads=st.none() | st.integers(1, 1024),
    )
    @several_examples
    def test_a_file_and_variables_say_the_same(
        self, port: int, ratio: float, console: bool, host: str, labels: list[str], threads: int | None
    ) -> None:
        in_file = yaml.safe_dump(
            {
                "server": {"port": port, "host": host},
                "telemetry": {"sample_ratio": ratio, "voice_labels": labels},
                "logging": {"console": console},
                "models": {"piper": {"engine": "piper", "threads": threads}},
            }
        )
        variables = {
            "CHATTERBOX_SERVER__PORT": str(port),
            "CHATTERBOX_SERVER__HOST": host,
            "CHATTERBOX_TELEMETRY__SAMPLE_RATIO": str(ratio),
            "CHATTERBOX_TELEMETRY__VOICE_LABELS": json.dumps(labels),
            "CHATTERBOX_LOGGING__CONSOLE": str(console),
            "CHATTERBOX_MODELS__PIPER__THREADS": "" if threads is None else str(threads),
        }
        if host.startswith("tcp://"):
            return
        file, environment = load(in_file), load(environ=variables)
        assert file.model_dump() == environment.model_dump()
        assert (file.server.port, file.server.host, file.telemetry.sample_ratio) == (port, host, ratio)
        assert (file.telemetry.voice_labels, file.logging.console) == (labels, console)

    @given(
        text=st.text(
            st.sampled_from("server: port{}[]&*!|>'\"%@`,?-#~\n\t\\\x00\ufeffé")
            | st.characters(exclude_categories=["Cs"])
        )
        | st.recursive(
            st.none() | st.booleans() | st.floats() | st.text("ab:\n*"),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(
                    st.sampled_from(
                        ["server", "models", "piper", "telemetry", "engine", "otlp_headers", "a\nb"]
                    ),
                    inner,
                )
            ),
        ).map(yaml.safe_dump),
        environ=st.dictionaries(
            st.sampled_from([*ALL_NAMES, "CHATTERBOX_", "CHATTERBOX___", "chatterbox_models__a__b\n"]),
            st.text()
            | st.sampled_from(["{}", "[]", "null", '{"": {}}', '{"a": {"engine": "piper"}}', "[[]]"]),
        ),
    )
    @several_examples
    def test_anything_is_settings_or_problems_a_line_each(self, text: str, environ: dict[str, str]) -> None:
        try:
            load(text, environ)
        except SettingsError as error:
            for line in error.message.split("\n"):
                assert re.match(r"(config\.yaml(:\d+)?|'?CHATTERBOX_.*|'?chatterbox_.*): ", line), line


class TestReference:
    def test_docs_are_what_the_models_say(self) -> None:
        """To put it right: `python -m service.config.reference > docs/settings.md`."""
        assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == reference()

    def test_every_setting_is_described(self) -> None:
        rows = [line.split(" | ") for line in reference().splitlines() if line.startswith("| `")]
        documented = {row[0].strip("| `") for row in rows}
        assert {".".join(keys) for keys in setting_names(Settings)} - {"models"} <= documented
        assert all(len(row) == 5 and len(row[4]) > 10 for row in rows)


def test_it_imports_quickly() -> None:
    """`chatterbox --help` waits for it: nothing of the service's heavy parts comes along."""
    code = "import sys, service.config; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    heavy = {
        "fastapi",
        "starlette",
        "numpy",
        "av",
        "opentelemetry",
        "prometheus_client",
        "onnxruntime",
        "asyncio",
    }
    assert not heavy & {module.split(".")[0] for module in modules.stdout.split()}

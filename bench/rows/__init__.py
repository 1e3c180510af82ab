"""The rows, in the table's order. One module a row."""

from typing import Final

from bench.pairs import Row
from bench.rows import adversarial, cpu, first_audio, formats, loop_lag, memory, throughput

ROWS: Final[dict[str, Row]] = {
    module.ROW.name: module.ROW
    for module in (first_audio, cpu, throughput, formats, memory, loop_lag, adversarial)
}

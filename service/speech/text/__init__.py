"""Text on its way to an engine: checked, cleaned, normalised, and cut into pieces."""

from service.speech.text.cleanup import Cleanup
from service.speech.text.english.numerals import warm
from service.speech.text.pieces import Piece, pieces
from service.speech.text.validation import validate

__all__ = ["Cleanup", "Piece", "pieces", "validate", "warm"]

"""The speech service: text to speech, speech to text and voice conversion behind FastAPI."""

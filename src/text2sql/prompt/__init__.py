"""The one renderer of prompts: training, inference and serving all get their text from here."""

from text2sql.prompt.messages import SYSTEM_PRESETS, Example, Message, render_messages
from text2sql.prompt.template import TEMPLATES, render_text, stop_words

__all__ = [
    "SYSTEM_PRESETS",
    "TEMPLATES",
    "Example",
    "Message",
    "render_messages",
    "render_text",
    "stop_words",
]

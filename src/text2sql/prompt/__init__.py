"""The one renderer of prompts: training, inference and serving all get their text from here."""

from text2sql.prompt.messages import (
    SYSTEM_PRESETS,
    Example,
    ExamplesForm,
    Message,
    add_examples,
    render_messages,
)
from text2sql.prompt.template import TEMPLATES, render_reply, render_text, stop_words

__all__ = [
    "SYSTEM_PRESETS",
    "TEMPLATES",
    "Example",
    "ExamplesForm",
    "Message",
    "add_examples",
    "render_messages",
    "render_reply",
    "render_text",
    "stop_words",
]

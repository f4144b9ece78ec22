"""The one renderer of prompts: training, inference and serving all get their text from here."""

from text2sql.prompt.fit import fit_examples
from text2sql.prompt.messages import (
    SYSTEM_PRESETS,
    Example,
    ExamplesForm,
    Message,
    add_examples,
    add_history,
    render_messages,
    shared_text,
)
from text2sql.prompt.template import (
    Template,
    load_template,
    render_reply,
    render_text,
    require_template,
)

__all__ = [
    "SYSTEM_PRESETS",
    "Example",
    "ExamplesForm",
    "Message",
    "Template",
    "add_examples",
    "add_history",
    "fit_examples",
    "load_template",
    "render_messages",
    "render_reply",
    "render_text",
    "require_template",
    "shared_text",
]

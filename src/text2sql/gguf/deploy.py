"""Files that put a GGUF model to work: an Ollama Modelfile and notes for LM Studio."""

from __future__ import annotations

from text2sql.prompt import SYSTEM_PRESETS, Template

NOTES = "LM-Studio.md"


def ollama_modelfile(file: str, template: Template, context: int) -> str:
    """Return a Modelfile whose rendered prompt is, byte for byte, the one trained on.

    The token that begins a text is left out: Ollama puts it there where the model wants one.

    Format: https://github.com/ollama/ollama/blob/main/docs/modelfile.md; the template is a Go
    template over messages, whose last turn is left open for the answer.

    Args:
        file: name of the GGUF file in the same folder.
        template: prompt template.
        context: tokens of prompt and answer together.
    """
    system, after_system = template.system
    user, after_user = template.user
    reply, after_reply = template.reply
    prefix = template.prefix.removeprefix(template.bos_token)
    spoken = f"{{{{ if .System }}}}{system}{{{{ .System }}}}{after_system}{{{{ end }}}}"
    if template.default_system:
        default = f"{system}{template.default_system}{after_system}"
        spoken = f"{{{{ if not .System }}}}{default}{{{{ end }}}}{spoken}"
    before = f"{prefix}{spoken}"
    if template.system_in_user:
        before = f"{prefix}{{{{ $first := true }}}}"
        spoken = spoken.replace(" .System", " $.System")
        user += f"{{{{ if $first }}}}{spoken}{{{{ $first = false }}}}{{{{ end }}}}"
    stops = "".join(f'PARAMETER stop "{word}"\n' for word in template.stop_words)
    return (
        f"# ollama create my-text2sql -f THIS_FILE; then: ollama run my-text2sql\n"
        f"FROM ./{file}\n"
        f'TEMPLATE """{before}{{{{ range $i, $m := .Messages }}}}'
        f'{{{{ if eq $m.Role "user" }}}}{user}{{{{ $m.Content }}}}{after_user}{{{{ end }}}}'
        f'{{{{ if eq $m.Role "assistant" }}}}{reply}{{{{ $m.Content }}}}{after_reply}{{{{ end }}}}'
        "{{ end }}"
        f'{template.reply_opening}"""\n'
        f"{stops}"
        "PARAMETER temperature 0\n"
        "PARAMETER repeat_penalty 1.0\n"
        f"PARAMETER num_ctx {context}\n"
    )


def lm_studio_notes(file: str, template: Template, context: int) -> str:
    """Return what to set in LM Studio for a GGUF file, as Markdown.

    Args:
        file: name of the GGUF file.
        template: prompt template.
        context: tokens of prompt and answer together.
    """
    stops = ", ".join(f"`{word}`" for word in template.stop_words)
    thinking = (
        "\nSwitch thinking off: this model was tuned on replies that begin with an empty think"
        " block.\n"
        if template.opening
        else ""
    )
    presets = "\n".join(f"- `{name}`:\n\n  > {text}" for name, text in SYSTEM_PRESETS.items())
    return (
        f"# {file} in LM Studio\n\n"
        f"1. `lms import {file}` (or copy it to `~/.lmstudio/models/text2sql/text2sql/`), load it"
        " with\n"
        f"   a context length of {context}. The chat template is in the file; leave it as it is.\n"
        f"2. Temperature 0, repeat penalty 1 (off), top-k 1; stop strings: {stops}.\n"
        "3. System prompt: the one the model was trained with, one of\n\n"
        f"{presets}\n\n"
        "4. User message: the schema, then the question, in this form:\n\n"
        "```text\n\n[SCHEMA]\nCREATE TABLE singer (id INTEGER PRIMARY KEY, name TEXT);\n"
        "[QUESTION]\nHow many singers are there?\n\n```\n"
        f"{thinking}"
    )

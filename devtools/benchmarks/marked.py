"""Pages of which only a measured part is written anew; people write the text around it."""

from pathlib import Path

_BEGIN, _END = "<!-- measured: begin -->", "<!-- measured: end -->"


def replace_measured(path: Path, title: str, text: str) -> Path:
    """Put the text between the two marks; creates the page if there is none."""
    page = path.read_text() if path.exists() else f"# {title}\n\n{_BEGIN}\n{_END}\n"
    head, _, rest = page.partition(_BEGIN)
    _, _, tail = rest.partition(_END)
    path.write_text(f"{head}{_BEGIN}\n{text}\n{_END}{tail}")
    return path

"""Put a table into a page, between the marks of its name: `python benchmarks/page.py PAGE NAME TABLE COMMAND`.

The marks are `<!-- NAME -->` and `<!-- /NAME -->`, on lines of their own; COMMAND is what made the table.
"""

from __future__ import annotations

from pathlib import Path

import click


def replaced(page: str, name: str, text: str) -> str:
    """Put the text between the marks of the page."""
    start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
    if page.count(start) != 1 or page.count(end) != 1 or page.index(start) > page.index(end):
        raise SystemExit(f"the page must have {start.strip()} and {end.strip()} once each, in this order")
    return page[: page.index(start)] + start + "\n" + text.strip() + "\n\n" + page[page.index(end) :]


@click.command()
@click.argument("page", type=click.Path(path_type=Path, exists=True))
@click.argument("name")
@click.argument("table", type=click.Path(path_type=Path, exists=True))
@click.argument("command")
def main(page: Path, name: str, table: Path, command: str) -> None:
    """Write the page anew."""
    text = f"`{command}`\n\n{table.read_text('utf-8').strip()}"
    page.write_text(replaced(page.read_text("utf-8"), name, text), "utf-8")


if __name__ == "__main__":
    main()

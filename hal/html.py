# SPDX-License-Identifier: BSD-2-Clause
"""Small tables in HTML, by which objects show themselves in a notebook. All text is escaped."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from html import escape

STALE = "color:#b3261e;font-weight:bold"
LEFT = "text-align:left"


def titled(title: str, *parts: str, note: str = "", alarming: bool = False) -> str:
    """A title, a note behind it, and parts that are HTML already."""
    style = f' style="{STALE}"' if alarming else ""
    behind = f" <span{style}>{escape(note)}</span>" if note else ""
    return f"<div><p><b>{escape(title)}</b>{behind}</p>{''.join(parts)}</div>"


def pairs(values: Mapping[str, object]) -> str:
    """A row for each name and its value."""
    rows = [
        f'<tr><th style="{LEFT}">{escape(name)}</th><td style="{LEFT}">{escape(str(value))}</td></tr>'
        for name, value in values.items()
    ]
    return f"<table>{''.join(rows)}</table>"


def grid(head: Sequence[str], rows: Iterable[Sequence[object]], *, caption: str = "") -> str:
    """A table with a head; nothing where there is no row."""
    body = [f"<tr>{''.join(f'<td>{escape(str(value))}</td>' for value in row)}</tr>" for row in rows]
    if not body:
        return ""
    above = f'<caption style="{LEFT}">{escape(caption)}</caption>' if caption else ""
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    return f"<table>{above}<thead><tr>{names}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def picture(png: bytes, description: str) -> str:
    """An image in the page itself."""
    return f'<img alt="{escape(description)}" src="data:image/png;base64,{b64encode(png).decode()}"/>'

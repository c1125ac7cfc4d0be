"""Lay the documentation's pages out in the four parts of Diátaxis, so that a new page needs no entry.

A hook of mkdocs (see mkdocs.yml).
"""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig

PARTS = {
    "Tutorial": "tutorial",
    "How to": "howto",
    "Reference": "reference",
    "Explanation": "explanation",
}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Set the navigation: the start page, then each part's pages by name."""
    docs = Path(config.docs_dir)
    config.nav = [{"Umbel": "index.md"}]
    for title, folder in PARTS.items():
        pages = [page.relative_to(docs).as_posix() for page in sorted((docs / folder).rglob("*.md"))]
        if pages:
            config.nav.append({title: pages})
    return config

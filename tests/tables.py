"""`make tables`: writes every table that mirrors something else, in documents and in the package; tests hold each."""

from __future__ import annotations

from typing import Final

from mockserver.cli.schema import SCHEMAS, as_file
from mockserver.profile.quirk_families import FAMILIES
from mockserver.profile.quirks import AXES
from tests import cast_files, fault_docs, node_package, settings_table
from tests.snippets import ROOT

SCHEMA_FILES: Final = ROOT / "docs" / "schemas"
QUIRKS_PAGE: Final = ROOT / "docs" / "quirks.md"


def quirk_table() -> fault_docs.Table:
    """A row for each quirk, in the table's order, and for each family; the standard of each group in bold."""
    rows = []
    for axis in AXES:
        group = f"{axis.stage}: {axis.field}"
        for quirk in axis.quirks:
            name = f"**`{quirk.name}`**" if quirk is axis.standard else f"`{quirk.name}`"
            rows.append([name, group, quirk.says])
        if axis.family:
            rows.append([f"`{axis.family.name}={axis.family.form}`", group, axis.family.about])
    rows += [
        [f"`{family.name}={family.form}`", f"{family.stage}: {family.field}", family.about]
        for family in FAMILIES
        if family.parted
    ]
    return [["quirk", "group", "what it does"], *rows]


def main() -> None:
    """Write them all."""
    for path, text in cast_files.documents().items():
        path.write_text(text, "utf-8")
    node_package.write()
    for name in SCHEMAS:
        (SCHEMA_FILES / f"{name}.schema.json").write_text(as_file(name), "utf-8")
    settings_table.DOCUMENT.write_text(settings_table.document(), "utf-8")
    for document, table in [(QUIRKS_PAGE, quirk_table()), *fault_docs.tables(fault_docs.observed())]:
        document.write_text(fault_docs.with_table(document.read_text("utf-8"), table), "utf-8")


if __name__ == "__main__":
    main()

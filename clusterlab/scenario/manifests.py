"""A scenario's `manifests`: objects, or names of files beside it that are put in their place before the scenario is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clusterlab.machinery.decode import ParseError, yaml_documents
from clusterlab.scenario.reader import Reader, ScenarioError, shown

__all__ = ["manifests", "with_files"]

MOST = 1_000


def with_files(scenario: dict[str, Any], *folders: Path) -> dict[str, Any]:
    """The scenario with the documents of files in place of their names, looked for in the folders in turn, and nowhere else.

    Raises ScenarioError when there is no such file, or it is no YAML."""
    entries = scenario.get("manifests")
    if not isinstance(entries, list):
        return scenario
    found: list[Any] = []
    for number, entry in enumerate(entries):
        if isinstance(entry, str):
            found += _documents(entry, f"manifests[{number}]", folders)
        else:
            found.append(entry)
    return {**scenario, "manifests": found}


def _documents(name: str, where: str, folders: tuple[Path, ...]) -> list[Any]:
    for folder in folders:
        try:
            path = (folder / name).resolve()
            if path.is_relative_to(folder.resolve()) and path.is_file():
                return [document for document in yaml_documents(path.read_text(encoding="utf-8")) if document]
        except ParseError as error:
            raise ScenarioError([(where, f"{name} is not YAML: {error}")]) from None
        except (OSError, ValueError) as error:
            raise ScenarioError([(where, f"{name!r} cannot be read: {error}")]) from None
    places = " or ".join(f"{folder.name}/" for folder in folders)
    raise ScenarioError([(where, f"there is no file {name!r} in {places}")])


def manifests(top: Reader) -> tuple[dict[str, Any], ...]:
    """The objects, in their order, those of lists one by one. What is wrong inside, the API server says."""
    return tuple(_flat(top, list(top.items("manifests", MOST))))


def _flat(top: Reader, entries: list[tuple[str, Any]]) -> Iterator[dict[str, Any]]:
    for path, item in entries:
        if isinstance(item, dict) and item.get("kind") == "List" and isinstance(item.get("items"), list):
            yield from _flat(top, [(f"{path}.items[{number}]", each) for number, each in enumerate(item["items"])])
        elif problem := _problem(item):
            top.problems.append((path + problem[0], problem[1]))
        else:
            yield item


def _problem(item: Any) -> tuple[str, str] | None:
    """(field, what) is wrong with the frame of an object."""
    if isinstance(item, str):
        return "", f"{shown(item)} names a file, and there are none beside this scenario; put the object itself here"
    if not isinstance(item, dict):
        return "", f"must be an object, not {shown(item)}"
    for name in ("apiVersion", "kind"):
        if not isinstance(item.get(name), str) or not item[name]:
            return f".{name}", f"must be set, such as {'v1' if name == 'apiVersion' else 'Pod'}"
    meta = item.get("metadata")
    if not isinstance(meta, dict):
        return ".metadata", f"must be an object with a name, not {shown(meta)}"
    if not isinstance(meta.get("name"), str) or not meta["name"]:
        return ".metadata.name", "must be set: what a scenario brings is applied, which needs a name"
    if not isinstance(meta.get("namespace", ""), str | None):
        return ".metadata.namespace", f"must be a string, not {shown(meta['namespace'])}"
    return None

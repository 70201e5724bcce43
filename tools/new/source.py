"""Edits of Python files by their syntax tree: what is there keeps its text, comments and order."""

import ast
from collections.abc import Iterable, Iterator

Edit = tuple[int, str]  # where in the text, and what is put there


def merged(text: str, made: str) -> str:
    """The text with what `made` has more: imports, definitions, and the entries of what both have by one name."""
    there = {_name(node): node for node in ast.parse(text).body}
    edits, waiting = list(_imports(text, made)), list[str]()
    for node, source in _pieces(made):
        old = there.get(_name(node))
        if old is None:
            waiting.append(source)
        else:  # in the order of `made`: a class stands before the one that uses it
            edits += [(_start(text, old), f"{new}\n") for new in waiting]
            edits += _inside(text, old, made, node)
            waiting = []
    return _applied(text, [*edits, *((len(text), f"\n{new}\n") for new in waiting)])


def with_imports(text: str, made: str) -> str:
    """The text with the imports of `made`, and its constants that the text has not."""
    there = {_name(node) for node in ast.parse(text).body}
    constants = [new for node, new in _pieces(made) if isinstance(node, ast.Assign) and _name(node) not in there]
    edits = [(_after_imports(text), f"\n{new}\n") for new in constants]
    return _applied(text, [*_imports(text, made), *edits])


def with_line(text: str, owner: str, line: str, before: Iterable[str] = ()) -> str | None:
    """The text with a line in the class, in front of the attributes named; None when there is no such class."""
    found = next((node for node in ast.parse(text).body if _name(node) == owner), None)
    if not isinstance(found, ast.ClassDef):
        return None
    fields = [node for node in found.body if isinstance(node, ast.Assign | ast.AnnAssign)]
    later = next((node for node in fields if _name(node) in tuple(before)), None)
    place = _start(text, later) if later else _end(text, (fields or found.body)[-1]) + 1
    return _applied(text, [(place, f"    {line}\n")])


def with_result(text: str, function: str, more: str) -> str:
    """The text in which the function returns what it did, and more."""
    body = next(
        node.body for node in ast.parse(text).body if isinstance(node, ast.FunctionDef) and node.name == function
    )
    return _applied(text, [(_end(text, body[-1]), f" {more}")])


def with_entries(text: str, name: str, entries: Iterable[str], owner: str = "") -> str | None:
    """The text with more entries of the call, tuple, list or dictionary of that name; None when there is none."""
    body: list[ast.stmt] = ast.parse(text).body
    if owner:
        body = next((node.body for node in body if isinstance(node, ast.ClassDef) and node.name == owner), [])
    found = next((node for node in body if isinstance(node, ast.Assign) and _name(node) == name), None)
    return _applied(text, [_into(text, found, entries)]) if found else None


def _imports(text: str, made: str) -> Iterator[Edit]:
    for node in ast.parse(made).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield _after_imports(text), f"{ast.get_source_segment(made, node)}\n"


def _pieces(made: str) -> Iterator[tuple[ast.stmt, str]]:
    """Each definition with its text, comments in front of it included."""
    end = 0
    for node in ast.parse(made).body:
        source = made[end : _end(made, node)].strip()
        end = _end(made, node)
        if not isinstance(node, ast.Import | ast.ImportFrom) and _name(node):
            yield node, source


def _inside(text: str, old: ast.stmt, made: str, new: ast.stmt) -> Iterator[Edit]:
    match old, new:
        case ast.ClassDef(), ast.ClassDef():
            yield from _appended(text, old.body, made, new.body)
        case ast.If(), ast.If():
            yield from _appended(text, old.body, made, new.body)
            yield from _appended(text, old.orelse, made, new.orelse)
        case ast.Assign() | ast.AnnAssign(), ast.Assign(value=items) | ast.AnnAssign(value=items):
            yield from _more_entries(text, old, made, items)


def _more_entries(text: str, old: ast.Assign | ast.AnnAssign, made: str, value: ast.expr | None) -> Iterator[Edit]:
    if old.value and isinstance(value, ast.List | ast.Dict):
        known = {ast.unparse(item) for item in _items(old.value)}
        entries = zip(_items(value), _entries(made, value), strict=True)
        yield _into(text, old, [entry for item, entry in entries if ast.unparse(item) not in known])


def _appended(text: str, old: list[ast.stmt], made: str, new: list[ast.stmt]) -> Iterator[Edit]:
    known = {_name(node) or ast.unparse(node) for node in old}
    for node in new:
        if not isinstance(node, ast.Expr) and (_name(node) or ast.unparse(node)) not in known:
            yield _end(text, old[-1]), f"\n{made[_start(made, node) : _end(made, node)]}"


def _items(value: ast.expr) -> list[ast.expr]:
    """What the list holds, or the keys of the dictionary."""
    return [key for key in getattr(value, "keys", getattr(value, "elts", ())) if key]


def _entries(made: str, value: ast.List | ast.Dict) -> Iterator[str]:
    for index, item in enumerate(_items(value)):
        last = value.values[index] if isinstance(value, ast.Dict) else item
        yield made[_offset(made, item.lineno, item.col_offset) : _offset(made, last.end_lineno, last.end_col_offset)]


def _into(text: str, node: ast.Assign | ast.AnnAssign, entries: Iterable[str]) -> Edit:
    """In front of the closing bracket."""
    place = _end(text, node) - 1
    comma = "" if text[:place].rstrip()[-1] in ",([{" else ", "
    return place, "".join(f"{comma if index == 0 else ''}{entry}, " for index, entry in enumerate(entries))


def _name(node: ast.stmt) -> str:
    """What tells a statement from the others of its block; nothing for those that may stand twice."""
    match node:
        case ast.ClassDef() | ast.FunctionDef():
            return node.name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
        case ast.If():
            return ast.unparse(node.test)
    return ""


def _start(text: str, node: ast.stmt) -> int:
    """Where its first line begins, decorators included."""
    first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
    return sum(map(len, text.splitlines(keepends=True)[: first - 1]))


def _end(text: str, node: ast.stmt) -> int:
    return _offset(text, node.end_lineno, node.end_col_offset)


def _offset(text: str, line: int | None, column: int | None) -> int:
    """Where a place of the syntax tree, which counts bytes, is in the text."""
    lines = text.splitlines(keepends=True)
    before = (line or 1) - 1
    return sum(map(len, lines[:before])) + len(lines[before].encode()[: column or 0].decode())


def _after_imports(text: str) -> int:
    body = ast.parse(text).body
    imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    return _end(text, (imports or body[:1])[-1]) + 1


def _applied(text: str, edits: Iterable[Edit]) -> str:
    ordered = sorted(edits, key=lambda edit: edit[0])
    for place, new in ordered[::-1]:  # of two at one place, the first comes first
        text = text[:place] + new + text[place:]
    return text

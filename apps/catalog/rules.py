"""What the service and the fake refuse, and in which words; as far as values alone can tell. Needs no Django."""

import re

from framework.errors import InvalidArgument

MAX_SEARCH = 200  # characters
# What pg_trgm can look up: three letters or digits, two before something else, or one after something else.
_HAS_TRIGRAM = re.compile(r"[^\W_]{3}|[^\W_]{2}[\W_]|[\W_][^\W_]")


def check_search(search: str) -> None:
    """Raises InvalidArgument."""
    if "\0" in search or len(search) > MAX_SEARCH:
        problem = f"{MAX_SEARCH} characters at most, none NUL"
        raise InvalidArgument("This cannot be searched for.", fields={"search": problem})
    if search and not re.search(r"[^\W_]", search):
        raise InvalidArgument("This cannot be searched for.", fields={"search": "needs a letter or a digit"})


def is_short(search: str) -> bool:
    """Whether a search finds only words that begin with the text, as no index could find it elsewhere."""
    return not _HAS_TRIGRAM.search(search)


def finds(search: str, text: str) -> bool:
    """Whether a search finds a text, in any case."""
    wanted, text = search.casefold(), text.casefold()
    return text.startswith(wanted) or f" {wanted}" in text if is_short(search) else wanted in text

"""Checks the text of a document before it reaches the parser."""

import re

from framework.graphql.errors import ErrorCode, client_error
from framework.graphql.limits import Limits, refused_by

# The lexical grammar of GraphQL, possessive throughout, so that no text is read twice. Where it is more
# lenient than the lexer of graphql-core (escapes in strings), that lexer stops earlier, never later.
_TOKEN = re.compile(
    r"""
      (?P<blank>[ \t\r\n,\ufeff]++)
    | (?P<comment>\#[^\r\n]*+)
    | (?P<name>[_A-Za-z][_0-9A-Za-z]*+)
    | (?P<mark>\.\.\.|[!$&()\[\]{}:=@|])
    | (?P<number>-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+)
    | (?P<text>\"""(?:[^"\\]++|\\(?:\""")?+|"(?!""))*+\"""|"(?!"")(?:[^"\\\r\n]++|\\.)*+")
    | (?P<stray>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*+\\u(?:0000|\{0++\})")


def check_text(text: str, limits: Limits) -> int:
    """Refuse a document that must not reach the parser, and return its number of tokens.

    It stops at the first limit passed. At a character that starts no token it stops too: the parser will not
    get further either. Raises GraphQLError.
    """
    if len(text) > limits.characters:
        raise refused_by(limits, "characters", "The document has more than {} characters")
    scan = _Scan(limits)
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "blank":
            continue
        if kind == "stray":
            break
        scan.count()
        if kind == "mark":
            scan.mark(match[0])
        elif kind == "number" and len(match[0]) > limits.number_digits:
            raise refused_by(limits, "number_digits", "A number has more than {} digits")
        elif kind == "text":
            _refuse_nul(match[0])
    return scan.tokens


def _refuse_nul(literal: str) -> None:
    escaped = not literal.startswith('"""') and _ESCAPED_NUL.search(literal)
    if "\0" in literal or escaped:
        raise client_error("The document holds a NUL character.", ErrorCode.BAD_USER_INPUT)


class _Scan:
    """What is known so far while reading tokens from the left."""

    __slots__ = ("aliases", "definitions", "directives", "limits", "nesting", "parentheses", "tokens")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.tokens = self.nesting = self.parentheses = 0
        self.aliases = self.directives = self.definitions = 0

    def count(self) -> None:
        self.tokens += 1
        if self.tokens > self.limits.tokens:
            raise refused_by(self.limits, "tokens", "The document has more than {} tokens")

    def mark(self, mark: str) -> None:
        if mark in "{[(":
            self.open(mark)
        elif mark in "}])":
            self.nesting -= 1
            self.parentheses -= mark == ")"
        elif mark == "@":
            self.directives += 1
            if self.directives > self.limits.directives:
                raise refused_by(self.limits, "directives", "The document has more than {} directives")
        elif mark == ":" and not self.parentheses:
            self.alias()

    def open(self, mark: str) -> None:
        if mark == "{" and not self.nesting:
            self.define()
        self.parentheses += mark == "("
        self.nesting += 1
        if self.nesting > self.limits.nesting:
            raise refused_by(self.limits, "nesting", "The document is nested more than {} deep")

    def alias(self) -> None:
        """A colon outside of parentheses follows an alias and nothing else."""
        self.aliases += 1
        if self.aliases > self.limits.aliases:
            raise refused_by(self.limits, "aliases", "The document has more than {} aliases")

    def define(self) -> None:
        """Each operation and each fragment opens one outermost brace; the parser will tell which is which."""
        self.definitions += 1
        if self.definitions > self.limits.operations + self.limits.fragments:
            raise refused_by(self.limits, "operations", "The document has more than {} operations")

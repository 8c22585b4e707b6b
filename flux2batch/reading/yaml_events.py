"""PyYAML's pure-Python scanner and parser, made into a bounded, quick, YAML 1.2 source of events.

What is PyYAML's stays PyYAML's: indentation, keys, flow collections, the grammar. Replaced are

- the scanning of scalars, which goes by regular expressions instead of character by character (a megabyte of prose
  takes milliseconds instead of a second) and decodes with `spans`;
- what YAML 1.2 reads otherwise: tabs may separate, `?` may stand inside a flow scalar, a `:` in a flow scalar only
  ends it before white space or a bracket;
- what must not stop a reading that could go on: tags and unknown escapes are noted and passed over;
- nesting, which is bounded before PyYAML's look-ahead becomes quadratic in it.

PyYAML's C loader is never used: deeply nested brackets crash the process in it.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Any, NamedTuple

from yaml.events import Event
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner, ScannerError
from yaml.tokens import DirectiveToken, ScalarToken, TagToken

from flux2batch.reading import spans

MAX_DEPTH = 64
_MAX_ESCAPES = 200

_END = "\0"  # PyYAML's own mark of the end of the text, which can hold none

_BLANKS = re.compile(r"(?: *+(?:#[^\r\n\0]*+)?(?:\r\n|\r|\n))*+ *+(?:#[^\r\n\0]*+)?")
_BLANK_REST = re.compile(r"[ \t]*+(?:#[^\r\n\0]*+)?[\r\n\0]")
_WHITE = re.compile(r"[ \t]+")
_PLAIN_END = re.compile(r"[\r\n\0]|:[ \t\r\n\0]|[ \t]#")
_PLAIN_END_IN_FLOW = re.compile(r"[\r\n\0,\[\]{}]|:[ \t\r\n\0,\[\]{}]|[ \t]#")
_NEXT_LINE = re.compile(r"[ \t]*+(?:\r\n|\r|\n)(?:[ \t]*+(?:\r\n|\r|\n))*+ *+")
_MARKER = re.compile(r"(?:---|\.\.\.)[ \t\r\n\0]")
_MARKER_LINE = re.compile(r"(?:\r\n|\r|\n)(?:---|\.\.\.)[ \t\r\n\0]")
_SINGLE = re.compile(r"'[^'\0]*+(?:''[^'\0]*+)*+'")
_DOUBLE = re.compile(r'"[^"\\\0]*+(?:\\[^\0][^"\\\0]*+)*+"')
_VERSION = re.compile(r"%YAML[ \t]+1\.[0-9]{1,3}(?=[ \t\r\n\0])")
_TAG = re.compile(r"!(?:<[^>\s\0]*+>|[^\s,\[\]{}\0]*+)")


class Mark(NamedTuple):
    """Where the scanner stands. PyYAML's own mark also carries the text, for messages that we do not use."""

    index: int  # type: ignore[assignment]  # PyYAML's name for it; nobody asks a mark for tuple.index
    line: int
    column: int


class TabIndentation(ScannerError):
    """A line is indented with a tab."""


class TooDeep(Exception):
    """The text nests deeper than MAX_DEPTH; `index` is where it does."""

    def __init__(self, index: int) -> None:
        self.index = index
        super().__init__(index)


class Events(Reader, Scanner, Parser):
    """The events of one text. Raises PyYAML's MarkedYAMLError, or TooDeep."""

    def __init__(self, text: str) -> None:
        # Not Reader.__init__: it would decode, and refuse characters that are reported with their place elsewhere.
        self.name = ""
        self.stream = None
        self.raw_buffer = None
        self.encoding = None
        self.buffer = text + _END
        self.pointer = self.index = self.line = self.column = 0
        self.brackets: list[int] = []  # where the flow collections begin that are open now
        self.tags: list[tuple[int, int]] = []
        self.escapes: list[tuple[int, int]] = []  # a backslash in double quotes that begins nothing YAML knows
        self.quoted: dict[int, int] = {}  # end of each quoted scalar → its start
        self.block_parents: dict[int, int] = {}  # start of a block scalar → indentation of the block around it
        Scanner.__init__(self)
        Parser.__init__(self)

    def next(self) -> Event | None:
        """The next event; None after the last."""
        event: Event | None = self.get_event()  # type: ignore[no-untyped-call]  # PyYAML's stubs are partial
        return event

    # --- reader ---

    def forward(self, length: int = 1) -> None:
        self._go_to(self.pointer + length)

    def _go_to(self, end: int) -> None:
        buffer, start = self.buffer, self.pointer
        self.pointer = self.index = end
        if end == start:
            return
        newline = buffer.rfind("\n", start, end)
        lone = buffer.rfind("\r", start, end)
        if newline < 0 and lone < 0:
            self.column += end - start
            return
        # The scanner never stops between \r and \n, so a pair is counted once.
        self.line += buffer.count("\n", start, end)
        if lone >= 0:
            self.line += buffer.count("\r", start, end) - buffer.count("\r\n", start, end)
        self.column = end - max(newline, lone) - 1

    def get_mark(self) -> Any:
        return Mark(self.index, self.line, self.column)

    # --- between tokens ---

    def scan_to_next_token(self) -> None:
        while True:
            found = _BLANKS.match(self.buffer, self.pointer)
            assert found, "BUG: the pattern also matches nothing"
            line = self.line
            self._go_to(found.end())
            if self.line != line and not self.flow_level:
                self.allow_simple_key = True
            if self.buffer[self.pointer] != "\t":
                return
            self._skip_tabs()

    def _skip_tabs(self) -> None:
        """Tabs may stand between tokens and on blank lines, and never where they would indent."""
        before = self.buffer[self.pointer - self.column : self.pointer]
        indents = not before.strip(" ") and not self.flow_level
        if indents and not _BLANK_REST.match(self.buffer, self.pointer):
            raise TabIndentation(None, None, "tab", self.get_mark())
        white = _WHITE.match(self.buffer, self.pointer)
        assert white, "BUG: called where there is no tab"
        self._go_to(white.end())

    # --- tokens ---

    def need_more_tokens(self) -> bool | None:
        # Asked several times a token, and dear as it asks every possible key; where there are none the answer is plain.
        if self.tokens and not self.possible_simple_keys:
            return False
        return super().need_more_tokens()

    def check_token(self, *choices: Any) -> bool:
        while self.need_more_tokens():
            self.fetch_more_tokens()
        return bool(self.tokens) and (not choices or isinstance(self.tokens[0], choices))

    # --- nesting ---

    def fetch_flow_collection_start(self, TokenClass: Any) -> None:
        self.brackets.append(self.pointer)
        super().fetch_flow_collection_start(TokenClass)
        self._check_depth(self.pointer - 1)

    def fetch_flow_collection_end(self, TokenClass: Any) -> None:
        if not self.flow_level:
            # PyYAML would count below zero and read the rest of the file as if inside of brackets.
            raise ScannerError(None, None, "closes nothing", self.get_mark())
        self.brackets.pop()
        super().fetch_flow_collection_end(TokenClass)

    def add_indent(self, column: int) -> bool:
        added = super().add_indent(column)
        if added:
            self._check_depth(self.pointer)
        return added

    def _check_depth(self, index: int) -> None:
        if len(self.indents) + self.flow_level > MAX_DEPTH:
            raise TooDeep(index)

    # --- indicators, as YAML 1.2 has them ---

    def check_key(self) -> bool:
        return self.peek(1) in ("\0 \t\r\n,[]{}" if self.flow_level else "\0 \t\r\n")

    def check_value(self) -> bool:
        if not self.flow_level:
            return self.peek(1) in "\0 \t\r\n"
        after_json = self.pointer > 0 and self.buffer[self.pointer - 1] in "\"'}]"
        return after_json or self.peek(1) in "\0 \t\r\n,[]{}"

    def check_plain(self) -> bool:
        first = self.peek()
        if first in "-?:":
            return self.peek(1) not in ("\0 \t\r\n,[]{}" if self.flow_level else "\0 \t\r\n")
        return first not in "\0 \t\r\n,[]{}#&*!|>'\"%@`"

    def scan_directive(self) -> Any:
        # '%YAML 1.1' changes nothing and '%TAG' makes tags, of which there are none.
        start = self.get_mark()
        found = _VERSION.match(self.buffer, self.pointer)
        if found is None:
            raise ScannerError("while scanning a directive", start, "no directive", start)
        self._go_to(found.end())
        return DirectiveToken("YAML", (1, 2), start, self.get_mark())

    def scan_tag(self) -> Any:
        start = self.get_mark()
        found = _TAG.match(self.buffer, self.pointer)
        assert found, "BUG: called where there is no tag"
        self.tags.append(found.span())
        self._go_to(found.end())
        return TagToken(("!", ""), start, self.get_mark())

    # --- scalars ---

    def scan_plain(self) -> Any:
        start = end = self.get_mark()
        indent = self.indent + 1
        stop = _PLAIN_END_IN_FLOW if self.flow_level else _PLAIN_END
        chunks: list[str] = []
        while True:
            words = self._plain_words(stop)
            if not words:
                break
            self.allow_simple_key = False
            chunks.append(words)
            self._go_to(self.pointer + len(words))
            end = self.get_mark()
            fold = self._next_plain_line(indent)
            if fold is None:
                break
            chunks.append(fold)
        text = "".join(chunks)
        return ScalarToken(text.rstrip(" \n"), True, start, end)

    def _plain_words(self, stop: re.Pattern[str]) -> str:
        if self.buffer[self.pointer] == "#":
            return ""
        found = stop.search(self.buffer, self.pointer)
        assert found, "BUG: the buffer ends with a stop"
        words: str = self.buffer[self.pointer : found.start()]
        return words.rstrip(" \t")

    def _next_plain_line(self, indent: int) -> str | None:
        """Go to the next line if the scalar may go on there: what the break between becomes."""
        found = _NEXT_LINE.match(self.buffer, self.pointer)
        if found is None:
            return None
        line = self.line
        self._go_to(found.end())
        self.allow_simple_key = True
        if self.column == 0 and _MARKER.match(self.buffer, self.pointer):
            return None
        if self.buffer[self.pointer] == "\t":
            # Inside of brackets a tab may indent; elsewhere the next token reports it.
            white = _WHITE.match(self.buffer, self.pointer)
            if not self.flow_level or white is None:
                return None
            self._go_to(white.end())
        if not self.flow_level and self.column < indent:
            return None
        breaks = self.line - line
        return " " if breaks == 1 else "\n" * (breaks - 1)

    def scan_flow_scalar(self, style: str) -> Any:
        start = self.get_mark()
        found = (_DOUBLE if style == '"' else _SINGLE).match(self.buffer, self.pointer)
        marker = _MARKER_LINE.search(self.buffer, self.pointer, found.end() if found else len(self.buffer))
        if found is None or marker:
            raise ScannerError("while scanning a quoted scalar", start, "never closed", start)
        self._go_to(found.end())
        self.quoted[found.end()] = found.start()
        return ScalarToken(self._unquoted(found, style), False, start, self.get_mark(), style)

    def _unquoted(self, found: re.Match[str], style: str) -> str:
        first, last = found.start() + 1, found.end() - 1
        content: str = self.buffer[first:last]
        is_simple = "\n" not in content and "\r" not in content
        if style == "'":
            is_simple = is_simple and "'" not in content
            return content if is_simple else spans.text_of(spans.single_pieces(self.buffer, first, last))
        if is_simple and "\\" not in content:
            return content
        self.escapes += islice(spans.unknown_escapes(self.buffer, first, last), _MAX_ESCAPES - len(self.escapes))
        return spans.text_of(spans.double_pieces(self.buffer, first, last))

    def scan_block_scalar(self, style: str) -> Any:
        start = self.get_mark()
        block = spans.block_text(self.buffer, self.pointer, self.indent)
        if block is None:
            raise ScannerError("while scanning a block scalar", start, "not a block header", start)
        self.block_parents[start.index] = self.indent
        self._go_to(block.end)
        end = self.get_mark()
        self._go_to(block.after)
        return ScalarToken(spans.text_of(block.pieces), False, start, end, style)

"""Redaction: what looks like a secret is masked before an event is folded, or its task stored.

Pure: an event in, an event out, or the task that plain events made. Events carry printed forms (argsrepr,
tracebacks), so secrets are found by the name before them or by their own shape. Called by `ingest.pipeline`.
"""

import re
from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from itertools import accumulate
from operator import attrgetter

from ahocorasick_rs import AhoCorasick, MatchKind

from umbel.model.event import REDACTED, Event
from umbel.model.task import Task

#: What a masked value is shown as.
MASK = "[redacted]"

#: Parts of names whose values are secret, in lower case; what they are found in may have any.
SECRET_NAMES = (
    "password", "passwd", "passphrase", "pwd", "secret", "token", "api_key", "api-key", "apikey",
    "access_key", "access-key", "accesskey", "private_key", "private-key", "privatekey", "authorization",
    "credential", "session_id", "session-id", "sessionid", "cookie", "card_number", "cardnumber",
    "cvv", "cvc", "ssn",
)  # fmt: skip
#: Of these, what words hold as well (className, AddressNotFound): no name where a small letter follows.
_IN_WORDS = frozenset({SECRET_NAMES.index("ssn")})

#: Values that are secret by their own shape: (words that such a text holds, pattern, what replaces it).
SECRET_SHAPES = (
    (("://",), r"://[^/\s:@'\"]*:[^/\s@'\"]+@", f"://{MASK}@"),  # user and password in a URL
    (("eyj",), r"\beyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*", MASK),  # JSON web token
    (("akia", "asia"), r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", MASK),  # AWS key id
    (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"\bgh[pousr]_[A-Za-z0-9]{30,}", MASK),  # GitHub token
    (("xox",), r"\bxox[abprs]-[\w-]{10,}", MASK),  # Slack token
    (("sk_",), r"\bsk_(?:live|test)_\w{10,}", MASK),  # Stripe key
    (("bearer ", "basic "), r"(?<=[Bb]earer )[\w.~+/=-]{8,}|(?<=[Bb]asic )[\w+/=-]{8,}", MASK),  # HTTP
    (("private key",), r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", MASK),
)

#: What follows a secret's name: the rest of the name, a closing quote, a separator; then the value as repr prints it.
_ASSIGNED = (
    r"(?P<before>[\w-]*\\?['\"]?\s*(?::|=>?|,(?=\s*\\?['\"]))\s*)"
    r"(?P<value>[bruBRU]{0,2}\\?'(?:\\.|[^'\\])*'?|[bruBRU]{0,2}\\?\"(?:\\.|[^\"\\])*\"?|[^\s,'\")}\]]+)"
)

#: What matters for the end of a list, tuple or dict as printed: its strings, and the brackets outside of them.
_GROUPED = re.compile(r"'(?:\\.|[^'\\])*'?|\"(?:\\.|[^\"\\])*\"?|[\[({]|[\])}]", re.DOTALL)

#: The end of a quoted string that is nothing but a name.
_NAME = re.compile(r"['\"][\w.-]*\Z")
_LONGEST_NAME = 100

_FIELDS = ("args", "kwargs", "result", "exception", "traceback")
_texts = attrgetter(*_FIELDS)
#: Tasks whose texts are looked at together, and what stands between two texts: no part of any name or space.
_TOGETHER = 500
_BETWEEN = "\x01"
_ASCII_LOWER = {code: code + 32 for code in range(65, 91)}
_NOT_SECRET = ("None", "True", "False", "''", '""')


class Redactor:
    """Masks the values of secret names, and secrets by shape. `names` are more names, as regular expressions."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._assigned = re.compile(_ASSIGNED)
        shapes = [(hints, re.compile(shape, re.DOTALL), mask) for hints, shape, mask in SECRET_SHAPES]
        # index of a word in the automaton -> the shape that it hints at; names come first and have none
        self._hinted = [None] * len(SECRET_NAMES) + [
            (shape, mask) for hints, shape, mask in shapes for _ in hints
        ]
        every = [*SECRET_NAMES, *(hint for hints, _, _ in shapes for hint in hints)]
        self._words = AhoCorasick(every)
        # leaves out words that begin within another, but is three times as fast
        self._first_words = AhoCorasick(every, matchkind=MatchKind.LeftmostFirst)
        words = "|".join(f"(?:{name})" for name in names)
        self._more = re.compile(words, re.IGNORECASE) if words else None

    def redact(self, event: Event) -> Event:
        """The event, changed in place: secrets masked and the event flagged REDACTED, where there are any."""
        for field in _FIELDS:
            text = getattr(event, field)
            if text:
                clean = self.redact_text(text)
                if clean is not text:
                    setattr(event, field, clean)
                    event.origin |= REDACTED
        return event

    def redact_events(self, events: Sequence[Event]) -> None:
        """`redact` each of them; all texts are looked at together, for nearly all are innocent."""
        texts = [text or "" for event in events for text in _texts(event)]
        suspects = {number // len(_FIELDS) for number in self._find_suspects(texts)}
        for number in suspects:
            self.redact(events[number])

    def redact_tasks(self, steps: Sequence[tuple[Task, Task | None]]) -> None:
        """Mask in place what each task tells and the task before it, which is clean, does not."""
        for start in range(0, len(steps), _TOGETHER):
            part = steps[start : start + _TOGETHER]
            texts = [text or "" for task, _ in part for text in _texts(task)]
            for number in self._find_suspects(texts):
                (task, before), field = part[number // len(_FIELDS)], _FIELDS[number % len(_FIELDS)]
                text = texts[number]
                if before is not None and getattr(before, field) == text:
                    continue
                clean = self.redact_text(text)
                if clean is not text:
                    setattr(task, field, clean)
                    task.origin |= REDACTED

    def _find_suspects(self, texts: Sequence[str]) -> Iterable[int]:
        """Which texts may hold a secret: rather too many than too few."""
        joined = _BETWEEN.join(texts)
        lowered = joined.lower()
        if self._more is not None or len(lowered) != len(joined):
            return [number for number, text in enumerate(texts) if text]
        names, value_of = len(SECRET_NAMES), self._value_of
        ends = [
            end
            for index, _, end in self._first_words.find_matches_as_indexes(lowered)
            if index >= names or value_of(joined, end) is not None
        ]
        if not ends:
            return ()
        bounds = list(accumulate([len(text) + 1 for text in texts]))
        return dict.fromkeys([bisect_left(bounds, end) for end in ends])

    def redact_text(self, text: str) -> str:
        """`text` with every secret in it masked, or `text` itself; masking twice changes nothing more."""
        lowered = text.lower()
        found = self._words.find_matches_as_indexes(
            lowered if len(lowered) == len(text) else _lower(text), overlapping=True
        )
        if self._more is None:
            # most texts hold no word, or words that nothing is assigned to
            names, value_of = len(SECRET_NAMES), self._value_of
            for index, _, end in found:
                if index >= names or value_of(text, end) is not None:
                    break
            else:
                return text
        return self._mask(text, found)

    def _mask(self, text: str, found: list[tuple[int, int, int]]) -> str:
        for shape, mask in self._hints(found):
            clean = shape.sub(mask, text)
            if clean != text:
                text, found = clean, self._find_words(clean)
        spans = self._find_assigned(text, found)
        if not spans:
            return text
        parts, end = [], 0
        for start, stop, mask in sorted(spans):
            if start >= end:
                parts += [text[end:start], mask]
                end = stop
        return "".join([*parts, text[end:]])

    def _value_of(self, text: str, end: int) -> re.Match[str] | None:
        """What is assigned to the name that ends there."""
        if text[end : end + 1] == " " and text[end + 1 : end + 2].isalnum():
            return None  # a word among others, as a match would find as well
        match = self._assigned.match(text, end)
        # a comma does so only after a whole string, as in ('X-Auth-Token', '…'), not after the last word of a text
        if (
            match is not None
            and "," in match["before"]
            and _NAME.search(text[max(0, end - _LONGEST_NAME) : end]) is None
        ):
            return None
        return match

    def _hints(self, found: Iterable[tuple[int, int, int]]) -> Collection[tuple[re.Pattern[str], str]]:
        """The shapes that the found words hint at, with their masks."""
        names = len(SECRET_NAMES)
        indexes = [index for index, _, _ in found if index >= names]
        return {hint for index in indexes if (hint := self._hinted[index]) is not None} if indexes else ()

    def _find_words(self, text: str) -> list[tuple[int, int, int]]:
        """(index of the word, start, end) of every secret name and hint. One pass over the text for all of them."""
        return self._words.find_matches_as_indexes(_lower(text), overlapping=True)

    def _find_assigned(self, text: str, found: Iterable[tuple[int, int, int]]) -> list[tuple[int, int, str]]:
        """Start and end of each value that follows a secret's name, and what is to stand there."""
        names, value_of = len(SECRET_NAMES), self._value_of
        matches = [
            value_of(text, end)
            for index, _, end in found
            if index < names and not (index in _IN_WORDS and text[end : end + 1].islower())
        ]
        if self._more is not None:
            matches += [value_of(text, name.end()) for name in self._more.finditer(text)]
        spans = []
        for match in matches:
            if match is not None:
                value, start = match["value"], match.start("value")
                if value[0] in "[({":
                    end = _end_of_group(text, start)
                    if end - start > 2 and not text.startswith(MASK, start):
                        spans.append((start, end, MASK))
                elif MASK[:-1] not in value and value not in _NOT_SECRET:
                    spans.append((start, match.end("value"), _mask_of(value)))
        return spans


def _end_of_group(text: str, start: int) -> int:
    """Where the list, tuple or dict that begins at `start` ends; the end of the text, where it was cut before."""
    depth = 0
    for token in _GROUPED.finditer(text, start):
        depth += (token[0] in "[({") - (token[0] in "])}")
        if depth == 0:
            return token.end()
    return len(text)


def _lower(text: str) -> str:
    """`text` in lower case at its own length, which some letters outside ASCII would change."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else text.translate(_ASCII_LOWER)


def _mask_of(value: str) -> str:
    """The mask in the quotes that the value had."""
    bare = value.lstrip("bruBRU")
    for quote in ("\\'", '\\"', "'", '"'):
        if bare.startswith(quote):
            return quote + MASK + quote
    return MASK

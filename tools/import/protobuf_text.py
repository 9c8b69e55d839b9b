# SPDX-License-Identifier: Apache-2.0
"""Reads protobuf's text format (.prototxt) without its schema. Nothing in it is trusted."""
import re
from dataclasses import dataclass, field

from refusal import Refusal

MOST_BYTES, MOST_DEPTH, MOST_TEXT = 16 << 20, 32, 512

TOKEN = re.compile(r"""(?P<space>(?:\s|\#[^\n]*)+) | (?P<mark>[{}<>:\[\],;]) | (?P<word>[A-Za-z0-9_.+-]+)
                     | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')""", re.VERBOSE)
CLOSING = {"{": "}", "<": ">"}
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}
TRUTH = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


@dataclass
class Scalar:
    """A number, an enumerator, true or false; or a string, without its quotes."""
    text: str
    quoted: bool
    place: str


@dataclass
class Message:
    """Fields in their order; the methods say where what they do not like stands."""
    place: str                                  # FILE:LINE of its beginning
    fields: list = field(default_factory=list)  # (name, Scalar or Message)
    subject: str = ""                           # what it is about, in front of all that it refuses; its messages have it too

    def refuse(self, reason, value=None):
        """`value`: the one that stands where the mistake is."""
        raise Refusal(self.subject + reason, (value or self).place)

    def names(self):
        return {name for name, _ in self.fields}

    def all(self, name, kind):
        """Every value of a field, in order."""
        values = [value for key, value in self.fields if key == name]
        if wrong := [value for value in values if not isinstance(value, kind)]:
            self.refuse(f"'{name}' must be {'a message' if kind is Message else 'a value, not a message'}", wrong[0])
        for value in values:
            if isinstance(value, Message):
                value.subject = self.subject
        return values

    def one(self, name, kind):
        """The value of a field, None where it is left out."""
        values = self.all(name, kind)
        if len(values) > 1:
            self.refuse(f"'{name}' is given again", values[1])
        return values[0] if values else None

    def message(self, name):
        """A message field; an empty one where it is left out."""
        return self.one(name, Message) or Message(self.place, subject=self.subject)

    def texts(self, name):
        return [value.text for value in self.all(name, Scalar)]

    def text(self, name, default=""):
        value = self.one(name, Scalar)
        return default if value is None else value.text

    def integers(self, name, low, high):
        values = self.all(name, Scalar)
        for value in values:
            if value.quoted or not re.fullmatch(r"[+-]?\d{1,18}", value.text) or not low <= int(value.text) <= high:
                self.refuse(f"'{name}' is {value.text}; accepted is a whole number from {low} to {high}", value)
        return [int(value.text) for value in values]

    def integer(self, name, low, high, default=None):
        self.one(name, Scalar)
        return (self.integers(name, low, high) or [default])[0]

    def numbers(self, name):
        values = self.all(name, Scalar)
        result = []
        for value in values:
            try:
                result.append(float(value.text.rstrip("fF")))
            except ValueError:
                result.append(float("nan"))
            if value.quoted or not abs(result[-1]) < 1e30:
                self.refuse(f"'{name}' is {value.text}; accepted is a number", value)
        return result

    def number(self, name, default):
        self.one(name, Scalar)
        return (self.numbers(name) or [default])[0]

    def flag(self, name, default):
        value = self.one(name, Scalar)
        if value is not None and (value.quoted or value.text not in TRUTH):
            self.refuse(f"'{name}' is {value.text}; accepted are true and false", value)
        return default if value is None else TRUTH[value.text]

    def choice(self, name, accepted, default):
        """An enumerator; the format lets its number stand for it, `accepted` being in the order of the numbers."""
        value = self.one(name, Scalar)
        text = default if value is None else value.text
        if text.isdecimal() and len(text) < 3 and int(text) < len(accepted):
            text = accepted[int(text)]
        if text not in accepted:
            self.refuse(f"'{name}' is {text}; accepted are {', '.join(accepted)}", value)
        return text


class Parser:
    def __init__(self, text, file):
        self.text, self.file = text, file
        self.at, self.line = 0, 1
        self.kind, self.token = "end", ""
        self.advance()

    @property
    def place(self):
        return f"{self.file}:{self.line}"

    def refuse(self, reason):
        raise Refusal(reason, self.place)

    def advance(self):
        while self.at < len(self.text):
            match = TOKEN.match(self.text, self.at)
            if not match:
                self.unreadable()
            self.at = match.end()
            self.kind, self.token = match.lastgroup, match.group()
            if self.kind != "space":
                return
            self.line += self.token.count("\n")
        self.kind, self.token = "end", ""

    def unreadable(self):
        rest = self.text[self.at:self.at + 40]
        if placeholder := re.match(r"\$\{\w+\}", rest):
            self.refuse(f"{placeholder.group()} is a placeholder for the scripts that run Caffe; write what it stands for")
        self.refuse("a string without its end" if rest[0] in "\"'" else f"a {rest[0]!r} is no part of the text format")

    def take(self, *marks):
        """Whether the next token is one of these marks; goes past it then."""
        if self.kind == "mark" and self.token in marks:
            self.advance()
            return True
        return False

    def fields(self, end, depth):
        """Of a message up to its closing mark, or up to the end of the file ('')."""
        if depth > MOST_DEPTH:
            self.refuse(f"messages lie in one another more than {MOST_DEPTH} deep")
        result = Message(self.place)
        while not (self.kind == "end" and not end) and not (self.kind == "mark" and self.token == end):
            if self.kind != "word" or not re.fullmatch(r"[A-Za-z_]\w*", self.token):
                self.refuse(f"a field's name{f' or {end!r}' if end else ''} must stand here, not {self.shown()}")
            name = self.token[:MOST_TEXT]
            self.advance()
            colon = self.take(":")
            if colon and self.take("["):
                while not self.take("]"):
                    result.fields.append((name, self.value(colon, depth)))
                    if not self.take(",") and self.token != "]":
                        self.refuse(f"',' or ']' must stand here, not {self.shown()}")
            else:
                result.fields.append((name, self.value(colon, depth)))
            self.take(",", ";")
        self.advance()
        return result

    def value(self, colon, depth):
        place, mark = self.place, self.token
        if self.take(*CLOSING):
            message = self.fields(CLOSING[mark], depth + 1)
            message.place = place
            return message
        if not colon or self.kind not in ("word", "string"):
            self.refuse(f"{'a value' if colon else 'a colon or a message'} must stand here, not {self.shown()}")
        quoted, text = self.kind == "string", ""
        while self.kind == "string":    # those that follow one another are one
            text += re.sub(r"\\(.)", lambda m: ESCAPES.get(m.group(1), "\0"), self.token[1:-1])
            self.advance()
        if not quoted:
            text = self.token
            self.advance()
        if len(text) > MOST_TEXT or not text.isprintable():
            raise Refusal(f"a value of more than {MOST_TEXT} characters, or with some that cannot be printed", place)
        return Scalar(text, quoted, place)

    def shown(self):
        return "the end of the file" if self.kind == "end" else f"'{self.token[:40]}'"


def parse(content, file):
    """The Message that a file's bytes hold. `file`: its name, for Refusals."""
    if len(content) > MOST_BYTES:
        raise Refusal(f"has more than {MOST_BYTES >> 20} MiB; no network's text has", file)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise Refusal("is no text in UTF-8", file) from None
    return Parser(text, file).fields("", 0)

"""The one error of this reader: a file that is not what SPEC.md says, and the place where.

Whatever the bytes are, reading them ends with an answer or with `Damaged`; no other exception
leaves the reader.
"""


class Damaged(Exception):
    """The file is not as SPEC.md says at this byte."""

    def __init__(self, file: str, offset: int, reason: str) -> None:
        super().__init__(f"{file} is damaged at byte {offset}: {reason}")
        self.file = file
        self.offset = offset
        self.reason = reason


class NewerFormat(Damaged):
    """The file has a part that only a newer reader knows and that may not be passed over."""

    def __str__(self) -> str:
        return f"{self.file} is of a newer format, at byte {self.offset}: {self.reason}"

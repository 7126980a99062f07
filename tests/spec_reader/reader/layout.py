"""How a table is cut in sections, and the checksums from its footer down to its pages (SPEC 4.7).

Every byte of the file hangs on the footer's identity: footer, then table of sections and checksums
section, then pages. All of them are verified before anything else is read.
"""

from dataclasses import dataclass

from .damage import Damaged, NewerFormat
from .header import HEADER_LEN, Header, read_header
from .wire import Cursor, crc32

FOOTER_LEN = 32
PAGE_LEN = 4096
MAGIC = b"asofdbT\n"
HISTORY, FAR, HEADS, DIRECTORY, METADATA, CHECKSUMS = range(1, 7)
FRESHNESS, TIMELINE, HINTS = 8, 9, 10
# What a table need not have.
OPTIONAL = (FRESHNESS, TIMELINE, HINTS)
# In the order in which they stand in the file.
SECTION_NAMES = {
    HISTORY: "history",
    FAR: "far",
    HEADS: "heads",
    DIRECTORY: "directory",
    METADATA: "metadata",
    FRESHNESS: "freshness",
    TIMELINE: "timeline",
    HINTS: "hints",
    CHECKSUMS: "checksums",
}


@dataclass(frozen=True)
class Section:
    tag: int
    start: int
    length: int

    @property
    def end(self) -> int:
        return self.start + self.length


@dataclass(frozen=True)
class Layout:
    header: Header
    identity: int
    # In the order of the table of sections, those that are not known left out.
    sections: dict[int, Section]

    def cursor(self, file: str, data: bytes, tag: int) -> Cursor:
        """A cursor over a whole section."""
        section = self.sections[tag]
        return Cursor(file, data[section.start : section.end], section.start)


def read_layout(file: str, data: bytes) -> Layout:
    header = read_header(file, data)
    if header.kind != "table":
        raise Damaged(file, 6, f"a table was expected, and this is a {header.kind}")
    footer_at = len(data) - FOOTER_LEN
    if footer_at < HEADER_LEN:
        raise Damaged(file, len(data), "the table ends before its footer")
    raw_footer = data[footer_at:]
    footer = Cursor(file, raw_footer, footer_at)
    list_at, list_len, list_sum = footer.u64(), footer.u32(), footer.u32()
    checksums_sum, identity = footer.u32(), footer.u32()
    if footer.take(8) != MAGIC:
        raise Damaged(file, footer_at + 24, "the footer does not end as one of a table")
    if identity != crc32(raw_footer[:20]):
        raise Damaged(file, footer_at, "the footer does not have its checksum")
    if list_at < HEADER_LEN or list_at + list_len != footer_at:
        raise Damaged(file, footer_at, "the table of sections does not end at the footer")
    raw_list = data[list_at:footer_at]
    if list_sum != crc32(raw_list):
        raise Damaged(file, list_at, "the table of sections does not have its checksum")
    sections = read_sections(Cursor(file, raw_list, list_at))
    checksums = sections[CHECKSUMS]
    raw_checksums = data[checksums.start : checksums.end]
    if checksums_sum != crc32(raw_checksums):
        raise Damaged(file, checksums.start, "the checksums do not have their own")
    verify_pages(file, data, checksums)
    check_places(file, sections)
    known = {tag: section for tag, section in sections.items() if tag in SECTION_NAMES}
    return Layout(header, identity, known)


def read_sections(cursor: Cursor) -> dict[int, Section]:
    """All of them, also those that are passed over."""
    list_at = cursor.place
    sections: dict[int, Section] = {}
    for _ in range(cursor.count()):
        place = cursor.place
        tag, ignorable = cursor.varint(), cursor.u8()
        start, length = cursor.varint(), cursor.varint()
        if ignorable > 1:
            raise Damaged(cursor.file, place, "a section is neither ignorable nor required")
        if start + length > list_at:
            raise Damaged(cursor.file, place, "a section lies outside of its place in the file")
        if tag not in SECTION_NAMES and not ignorable:
            raise NewerFormat(cursor.file, place, f"a section with tag {tag}")
        if tag in sections:
            raise Damaged(cursor.file, place, f"a section with tag {tag} is there twice")
        sections[tag] = Section(tag, start, length)
    cursor.end("the table of sections")
    for tag, name in SECTION_NAMES.items():
        if tag not in sections and tag not in OPTIONAL:
            raise Damaged(cursor.file, list_at, f"section {name} is missing")
    return sections


def check_places(file: str, sections: dict[int, Section]) -> None:
    """All have their bytes in pages; those that are known are apart and in their order."""
    checksums = sections[CHECKSUMS]
    for section in sections.values():
        if section.tag != CHECKSUMS and section.end > checksums.start:
            raise Damaged(file, section.start, "a section lies behind the pages with checksums")
    end = HEADER_LEN
    for tag, name in SECTION_NAMES.items():
        if tag in sections:
            if sections[tag].start < end:
                raise Damaged(file, sections[tag].start, f"section {name} stands out of its order")
            end = sections[tag].end


def verify_pages(file: str, data: bytes, checksums: Section) -> None:
    pages = (checksums.start + PAGE_LEN - 1) // PAGE_LEN
    if checksums.length != 4 * pages:
        raise Damaged(file, checksums.start, f"there are {pages} pages, and not as many checksums")
    cursor = Cursor(file, data[checksums.start : checksums.end], checksums.start)
    for page, expected in enumerate(cursor.u32s(pages)):
        start = page * PAGE_LEN
        if expected != crc32(data[start : min(start + PAGE_LEN, checksums.start)]):
            raise Damaged(file, start, "a page does not have its checksum")

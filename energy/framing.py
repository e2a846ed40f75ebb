"""Where documents end in a stream.

A plist stream is framed on `</plist>`. The NUL that separates documents is written just before the next one,
so framing on it would make every reading an interval late.
"""

from __future__ import annotations

END_OF_DOCUMENT = b"</plist>"
END_OF_LINE = b"\n"
BEGIN_OF_DOCUMENT = b"<?xml"
BETWEEN_DOCUMENTS = b"\0 \r\n\t"


class Framer:
    """Splits a stream into documents, however it arrives.

    Args:
        end: the bytes that end a document.
    """

    def __init__(self, end: bytes = END_OF_DOCUMENT) -> None:
        self._end = end
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        """The documents that end in this chunk, their ends included."""
        search_from = max(0, len(self._rest) - len(self._end) + 1)
        self._rest += chunk
        documents = []
        begin, position = 0, self._rest.find(self._end, search_from)
        while position >= 0:
            after = position + len(self._end)
            documents.append(bytes(self._rest[begin:after]))
            begin, position = after, self._rest.find(self._end, after)
        del self._rest[:begin]
        return documents

    @property
    def rest(self) -> bytes:
        """What has come since the last end of a document."""
        return bytes(self._rest)


def parts_of(frame: bytes) -> list[bytes]:
    """A frame as the document that ends it, behind whatever was cut off or put in before that began."""
    begin = frame.rfind(BEGIN_OF_DOCUMENT)
    if begin <= 0 or not frame[:begin].strip(BETWEEN_DOCUMENTS):
        return [frame]
    return [frame[:begin], frame[begin:]]

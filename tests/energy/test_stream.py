import random

from energy.stream import Framer
from tests.energy.samples import document


def test_documents_are_found_wherever_the_stream_is_cut():
    documents = [document(cpu=n) for n in range(20)]
    stream = b"\0".join(documents) + b"\0<?xml cut"
    chance = random.Random(4)
    for _ in range(50):
        framer, found, position = Framer(), [], 0
        while position < len(stream):
            step = chance.choice([1, 3, 7, 8, 50, 700, 5000])
            found += framer.feed(stream[position : position + step])
            position += step
        pieces = [stream[offset : offset + length].strip(b"\0\n") for offset, length in found]
        assert pieces == [document.strip() for document in documents]
        assert framer.unframed_bytes == len(b"\n\0<?xml cut")


def test_a_document_is_complete_before_the_nul_that_follows_it():
    framer = Framer()
    assert len(framer.feed(document().rstrip(b"\n"))) == 1


def test_offsets_go_on_from_where_a_file_ends():
    assert Framer(1000).feed(b"<a></plist>") == [(1000, 11)]


def test_nothing_is_kept_of_a_stream_without_an_end():
    framer = Framer()
    for _ in range(100):
        assert framer.feed(b"x" * 10_000) == []
    assert framer.unframed_bytes == 10**6
    assert len(framer._tail) < 8

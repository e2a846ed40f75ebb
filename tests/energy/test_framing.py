import random

from energy.framing import END_OF_LINE, Framer
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
        assert [piece.strip(b"\0\n") for piece in found] == [document.strip() for document in documents]


def test_a_document_is_complete_before_the_nul_that_follows_it():
    assert len(Framer().feed(document().rstrip(b"\n"))) == 1


def test_lines():
    assert Framer(END_OF_LINE).feed(b"one\ntwo\nthr") == [b"one\n", b"two\n"]

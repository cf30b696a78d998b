"""Settlement files with bytes put in or over others: whatever is read of them is what stands there, by the judge's own reading."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hostile import files, seeds

SEEDS = tuple(seeds.files())
BYTES = st.sampled_from(
    [b"", b"\n", b"\r", b"|", b"\t", b" ", b"\x00", b"\x1a", b"\xe9", b"\x81", b"\xef\xbb\xbf", b"T", b"D|", b"\xc3", b"\x0c"]
)
EDITS = st.lists(st.tuples(st.integers(0, 10**6) | st.just(-1), BYTES, st.integers(0, 2)), max_size=4)


@settings(max_examples=400, deadline=None)
@given(data=st.sampled_from(SEEDS), edits=EDITS, size=st.sampled_from([1, 7, 50, 1 << 20]))
def test_a_file_with_bytes_put_in_or_over_others_is_refused_or_says_what_stands_there(data, edits, size):
    for place, put, over in edits:
        at = len(data) if place < 0 else place % (len(data) + 1)
        data = data[:at] + put + data[at + over :]
    files.keep(data, size)


def test_every_form_of_a_file_that_harms_nothing_is_read():
    read = [file for file in map(files.reading, SEEDS) if isinstance(file, files.Accepted) and file.summary.notes]
    assert len(read) == len(seeds.Form)

"""The scanner and others on the same lines: `python -m tests.benchmarks.scanner_peers [--events N] [--seconds S]`.

Presidio's default recognizers (17 of them in 2.2.366), without a language model and called directly, one after the
other, on whole lines: the fastest way to use it, which tells no field. DataFog's patterns likewise. Each gets every
n-th line of the archive until its time is over. The scanner gets the whole archive on one process, with nothing known
beforehand; and, so that nobody has to wonder what the repetition in a large file is worth, those lines alone as well.
MB are 10^6 bytes of JSON lines. Needs the extra `bench`; a peer that is not installed is left out.
"""

import argparse
import gzip
import logging
import tempfile
import time
import zipfile
from itertools import islice
from pathlib import Path

from tests.benchmarks.scanner_rate import archive_of, measured

EVERY = 50
"""The peers get every fiftieth line."""

BAR = {"presidio": 1_500}
WARM_UP = "write to ana@example.com from 192.0.2.1"


def lines_of(path):
    """The lines of an archive."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            yield from gzip.decompress(archive.read(name)).splitlines()


def presidio():
    """(a function that gives a text to every recognizer and counts the findings, what it is)."""
    import tldextract  # noqa: PLC0415 (an optional peer)
    from presidio_analyzer import RecognizerRegistry  # noqa: PLC0415
    from presidio_analyzer.nlp_engine import NoOpNlpEngine  # noqa: PLC0415

    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=())  # its e-mail recognizer would fetch a list
    engine = NoOpNlpEngine(models=[{"lang_code": "en", "model_name": "none"}])
    engine.load()
    registry = RecognizerRegistry(supported_languages=["en"])
    registry.load_predefined_recognizers(languages=["en"], nlp_engine=engine)
    chosen = [(one, one.supported_entities) for one in registry.recognizers if "Spacy" not in type(one).__name__]

    def find(text):
        return sum(len(one.analyze(text, entities, None) or ()) for one, entities in chosen)

    return find, f"presidio, {len(chosen)} recognizers"


def datafog():
    """The same of DataFog."""
    from datafog.engine import scan  # noqa: PLC0415 (an optional peer)

    return (lambda text: len(scan(text, engine="regex").entities)), "datafog, patterns"


PEERS = {"presidio": presidio, "datafog": datafog}


def rate(find, lines, seconds):
    """(MB/s, lines, findings) of a peer."""
    find(WARM_UP)
    began, size, count, found = time.perf_counter(), 0, 0, 0
    for line in lines:
        found += find(line.decode())
        size, count = size + len(line) + 1, count + 1
        if time.perf_counter() - began > seconds:
            break
    return size / 1e6 / (time.perf_counter() - began), count, found


def ours(path):
    """(MB/s on one process, rows of findings): the best of two."""
    best = min((measured("scan", path, 1)[0] for _ in range(2)), key=lambda one: one["seconds"])
    return best["bytes"] / 1e6 / best["seconds"], best["rows"]


def main():
    """Print the table."""
    logging.disable(logging.WARNING)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--seconds", type=float, default=30, help="for each peer")
    parser.add_argument("--archive", type=Path, help="these lines instead of made-up ones")
    asked = parser.parse_args()
    path = asked.archive or archive_of("realistic", asked.events)
    lines = [*islice(lines_of(path), 0, None, EVERY)]
    whole, rows = ours(path)
    print(f"{'':32}{'MB/s':>10}{'lines':>9}{'ratio':>9}{'bar':>8}")
    print(f"{'scanner, one process':32}{whole:10.1f}{'all':>9}   ({rows:,} rows of findings)")
    with tempfile.NamedTemporaryFile(suffix=".gz") as sample:
        Path(sample.name).write_bytes(gzip.compress(b"".join(line + b"\n" for line in lines)))
        print(f"{'scanner, these lines alone':32}{ours(sample.name)[0]:10.1f}{len(lines):9,}", flush=True)
    for name, made in PEERS.items():
        try:
            find, what = made()
        except ImportError:
            print(f"{name}: not installed, left out (pip install -e '.[bench]')")
            continue
        speed, count, found = rate(find, lines, asked.seconds)
        compared = f"{speed:10.3f}{count:9,}{whole / speed:9,.0f}{BAR.get(name, ''):>8}"
        print(f"{what:32}{compared}   ({found:,} findings)", flush=True)


if __name__ == "__main__":
    main()

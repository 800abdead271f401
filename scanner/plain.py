"""The plain engine: every line parsed by `json`, every key and value given to every rule. It is the meaning."""

from __future__ import annotations

from scanner.confirm import Meaning, Nominate
from scanner.evidence import Field, Hits, Key
from scanner.findings import Grade
from scanner.naming import Names
from scanner.origin import Origins
from scanner.recorder import Recorder
from scanner.reference import Field as Path
from scanner.reference import line_hits
from scanner.sketch import Fingerprints
from scanner.summary import Tally

_BLANKS = b" \t\r"


class ReferenceEngine:
    """Counts the findings of whole JSON lines, a thousand times slower than the native engine. Not thread-safe."""

    name = "reference"

    def __init__(self, meaning: Meaning, fingerprints: Fingerprints, names: Names | None = None) -> None:
        self._meaning, self._fingerprints = meaning, fingerprints
        self._names = names or Names(meaning)
        self._origins, self._recorder = Origins(meaning), Recorder()

    def feed(self, data: bytes, start: int, end: int) -> int:
        """Count the whole lines in `data[start:end]`, the last one ends with a newline; how many they are."""
        lines = data[start : end - 1].split(b"\n")
        for line in lines:
            if line.strip(_BLANKS):
                self.line(line)
        return len(lines)

    def line(self, line: bytes, nominate: Nominate | None = None) -> None:
        """Count one line, given without its newline. Without `nominate` every rule is tried on everything."""
        told, names = line_hits(self._meaning, self._meaning.contexts, line, nominate), self._names
        event_type = names.event_type(told.event_type)
        for field in told.seen or ():
            self._recorder.saw(Field(event_type, names.field(field)))
        best: dict[tuple[Path, Key], Grade] = {}
        for field, _, hit in told.hits:
            place = names.field(field) + (names.inner(hit.path) if hit.path else "")
            key = Key(event_type, place, hit.data_type)
            best[field, key] = max(hit.grade, best.get((field, key), hit.grade))
            self._recorder.value(key, hit.reasons, hit.via, self._fingerprints(hit.value), hit.value)
        for (_, key), grade in best.items():
            self._recorder.hit(key, Hits.at(grade), told.hour)
            if key not in self._recorder.origins:
                self._recorder.origins[key] = self._origins.of(line, nominate)

    def take(self) -> Tally:
        """What was counted since the last time."""
        taken, self._recorder = self._recorder.tally(), Recorder()
        return taken

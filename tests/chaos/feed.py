"""What is published: erasures over all projects, some of people unknown, some published twice or taken back."""

import random
from dataclasses import dataclass, field

import schemas
from tests.fakes.commands import fields
from tests.integration.intake_worker import codec

UNKNOWN, DUPLICATED, CANCELLED, SEVERAL = 0.01, 0.03, 0.05, 0.05


@dataclass
class Asked:
    """One request: its command, whom it is about, and what else was published about it."""

    command: dict
    users: list
    duplicates: int = 0
    cancelled: bool = False

    @property
    def request(self):
        return self.command["subject_request_id"]

    @property
    def unknown(self):
        """Amplitude has nobody by that id."""
        return self.users[0].startswith("ghost")

    @property
    def ends(self):
        """The ends that are right. A cancel may come too late, or after the end."""
        if self.unknown:
            return {"not_found"}
        return {"done", "cancelled", "too_late"} if self.cancelled else {"done"}


@dataclass
class Feed:
    """`asked`: by request id. `chunk` makes the next requests and what is published with them, encoded and shuffled
    but for the order of a request's own commands: a cancel or a duplicate of an earlier chunk may be among them."""

    projects: list
    random: random.Random
    now: int
    asked: dict = field(default_factory=dict)
    _later: list = field(default_factory=list)

    def chunk(self, count, *, last=False):
        later, self._later = self._later, []
        fresh = [self._request(len(self.asked)) for _ in range(count)]
        records = [one.command for one in fresh]
        for one in fresh:
            self._follow(one, last=last)
        return [codec.encode(schemas.COMMANDS, record) for record in records + later + (self._later if last else [])]

    def _request(self, number):
        kind = "ghost" if self.random.random() < UNKNOWN else "u"
        extra = self.random.choice((1, 2)) if kind == "u" and self.random.random() < SEVERAL else 0
        users = [f"{kind}-{number:06}"] + [f"{kind}-{number:06}-{n}" for n in range(extra)]
        project = self.random.choice(self.projects)
        times = {"submitted_time": self.now, "issued_time": self.now, "deadline": self.now + 10**11}
        one = Asked(fields(*users, project=project, **times), users)
        self.asked[one.request] = one
        return one

    def _follow(self, one, *, last):
        if self.random.random() < DUPLICATED:
            one.duplicates += 1
            self._later.append(one.command)
        if not one.unknown and self.random.random() < CANCELLED and not last:
            one.cancelled = True
            about = {"project": one.command["project"], "subject_request_id": one.request}
            cancel = fields(command="cancel", subject_identities=[], submitted_time=None, regulation=None, **about)
            self._later.append(cancel)

"""What the promise comes to, counted: pure functions over what was asked, said, called and seen."""

from collections import Counter, defaultdict
from itertools import pairwise

from consumer.domain.lifecycle import NEXT, Stage
from tests.chaos.witness import ENDS

EXPLAINED_WITHIN_S = 15.0
"""A strike explains a repetition of calls that were answered so shortly before: their answer was not yet written."""


def reachable():
    """From each stage, all that may come after it: an outcome is not said for every step of every identity."""
    found = {stage: set(after) for stage, after in NEXT.items()}
    for _ in found:
        for after in found.values():
            after |= {further for stage in list(after) for further in found[stage]}
    return found


REACHABLE = reachable()


def judge_outcomes(asked, said):
    """Faults of the published outcomes by name, each a count that must be 0."""
    stages = defaultdict(list)
    for outcome in said:
        if outcome["kind"] == "stage":
            stages[outcome["subject_request_id"]].append(outcome)
    faults = Counter(dict.fromkeys(("lost", "duplicated", "out of order", "backwards", "unanswered", "wrong end"), 0))
    ids = Counter(outcome["outcome_id"] for outcome in said if outcome["kind"] != "reply")
    faults["duplicated"] += sum(count - 1 for count in ids.values())
    faults["invented"] = len(stages.keys() - asked.keys())
    for request, one in asked.items():
        _judge_request(one, stages[request], faults)
    replies = Counter(o["subject_request_id"] for o in said if o["kind"] == "reply" and o["duplicate_of"])
    for request, one in asked.items():
        faults["duplicates not answered once"] += replies[request] != one.duplicates
    return faults


def _judge_request(one, told, faults):
    if not told or told[-1]["stage"] not in ENDS:
        faults["lost"] += 1
        return
    faults["out of order"] += [o["sequence"] for o in told] != list(range(1, len(told) + 1))
    faults["wrong end"] += told[-1]["stage"] not in one.ends and not by_evidence(one, told[-1])
    faults["unanswered"] += [r["position"] for r in told[-1]["results"]] != list(range(len(one.users)))
    faults["unanswered"] += any(r["stage"] not in ENDS for r in told[-1]["results"])
    for position in range(len(one.users)):
        walk = [o["results"][position]["stage"] for o in told if position < len(o["results"])]
        faults["backwards"] += any(
            before != after and Stage(after) not in REACHABLE[Stage(before)] for before, after in pairwise(walk)
        )


def by_evidence(one, outcome):
    """An unknown person whose batch was found in Amplitude's list after its answer was lost counts as scheduled: from
    then on nobody can tell an id that was never known from one that is already gone (rule 5)."""
    results = outcome["results"]
    return one.unknown and outcome["stage"] == "done" and {r["reason"] for r in results} == {"batch_evidence"}


def judge_people(asked, said, pocket, apps):
    """People whose request says one thing and Amplitude's book another, counted; and what is known of them."""
    last = {o["subject_request_id"]: o for o in said if o["kind"] == "stage"}
    applied, standing = Counter(), set()
    for project, app in apps.items():
        applied.update({(project, user): n for user, n in pocket.seen(app).times_applied().items()})
        jobs = pocket.world.book.jobs(app, pocket.world.today(), "0001-01-01", "9999-12-31")
        standing |= {(project, entry.user_id) for job in jobs for entry in job.entries}
    faults, story = Counter({"said done, not erased": 0, "said cancelled, erased": 0}), []
    for request, one in asked.items():
        for position, user in enumerate(one.users):
            results = last[request]["results"] if request in last else []
            stage = results[position]["stage"] if position < len(results) else None
            who = (one.command["project"], user)
            erased = (applied[who] and who in standing) or one.unknown
            faults["said done, not erased"] += stage == "done" and not erased
            if stage == "cancelled" and who in standing:
                faults["said cancelled, erased"] += 1
                story.append(_story(one, user, said, pocket, apps))
    return faults, story


def _story(one, user, said, pocket, apps):
    """All that is known of one person, for whoever has to find out what went wrong."""
    told = [o for o in said if o["subject_request_id"] == one.request]
    stages = [f"{o['stage']} {o['reason'] or ''} at {o['occurred_time']}".strip() for o in told]
    app = apps[one.command["project"]]
    posts = [f"POST {p.requester} at {p.at_s:.3f}" for p in pocket.seen(app).posts if user in p.user_ids]
    jobs = pocket.world.book.jobs(app, pocket.world.today(), "0001-01-01", "9999-12-31")
    places = [
        f"in {job.day} by {e.requester} on {e.requested_on}" for job in jobs for e in job.entries if e.user_id == user
    ]
    return "; ".join([user, *stages, *posts, *places])


def judge_calls(crew, session_s):
    """The least spacing within a member and project, the greatest age of a call's proof of ownership, and faults."""
    least, oldest, faults = float("inf"), 0.0, Counter({"calls closer than 1 s": 0, "calls after a freeze": 0})
    faults["calls without a fresh lease"] = 0
    for name in crew.names:
        frozen = [(stopped, woken) for member, stopped, woken in crew.freezes if member == name]
        before = {}
        for word, project, _, *instants in crew.notes(name):
            if word != "call":
                continue
            at, proven = map(float, instants)
            spacing, before[project] = at - before.get(project, float("-inf")), at
            least, oldest = min(least, spacing), max(oldest, at - proven)
            faults["calls closer than 1 s"] += spacing < 1.0
            faults["calls without a fresh lease"] += at - proven > session_s
            faults["calls after a freeze"] += any(proven < stopped and at > woken for stopped, woken in frozen)
    return least, oldest, faults


def judge_repetitions(crew, pocket, apps):
    """People who were sent again, by why: the answer was lost, or its owner before it could write it down."""
    answered = {n[1]: float(n[2]) for name in crew.names for n in crew.notes(name) if n[0] == "answer" and n[3] == "1"}
    instants = [at for _, at, _ in crew.strikes] + [at for _, at in crew.ended + crew.hung]
    why = Counter({"answer lost": 0, "owner lost": 0, "unexplained": 0})
    for app in apps.values():
        earlier = {}
        for post in pocket.seen(app).posts:
            for user in post.user_ids:
                if user in earlier:
                    why[_why(answered.get(earlier[user]), instants)] += 1
                earlier[user] = post.requester
    return why


def _why(answered_at, instants):
    if answered_at is None:
        return "answer lost"
    struck = any(answered_at - 1 <= at <= answered_at + EXPLAINED_WITHIN_S for at in instants)
    return "owner lost" if struck else "unexplained"

"""Made-up Amplitude exports with planted personal data and hard negatives, seeded: `python -m tests.fakes.exports`.

The archive is laid out as Amplitude's: a zip of `<app>/<app>_<date>_<hour>#<n>.json.gz`, JSON lines inside. Beside it
the truth: one JSON object for each planted item and for each hard negative, by line and JSON pointer. Nothing in it is
a real person's; check digits come from python-stdnum.
"""

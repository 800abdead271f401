"""One event after another, with the fields and habits of a real export, and what was planted in it."""

import base64
import datetime as dt
import hashlib
import json
from typing import NamedTuple

from tests.fakes.exports.plants import item, negative

ESCAPED_AT = "\ue000"  # written as \u0040: a JSON-escaped @
NAMES = (
    "session_start|page_view|button_clicked|checkout_started|order_completed|search_performed|video_played|"
    "form_submitted|push_opened|item_added|signup_step|profile_edited|error_shown|support_chat|"
    "[Amplitude] Page Viewed|[Amplitude] Element Clicked"
).split("|")
NULLS = (
    "$insert_key|$schema|adid|amplitude_attribution_ids|amplitude_event_type|device_brand|device_manufacturer|dma|idfa|"
    "partner_id|paying|sample_rate|source_id"
).split("|")
EMPTY = ("global_user_properties", "group_properties", "groups", "plan")
PLACES = (
    ("San Francisco", "California", "United States"),
    ("München", "Bavaria", "Germany"),
    ("São Paulo", "São Paulo", "Brazil"),
    ("London", "England", "United Kingdom"),
    ("東京", "Tokyo", "Japan"),
)
PROSE = (
    "please contact {} about the refund",
    "user typed: {}",
    "{} (verified)",
    "to={} cc=ops",
    "Numéro: {} — merci",
    "\tvalue\n{}\nend",
)


class Profile(NamedTuple):
    """How often what occurs."""

    ip: float
    mail_user: float
    mail_property: float
    geo: float
    plants: float
    negatives: float


PROFILES = {
    "realistic": Profile(0.95, 0.15, 0.06, 0.15, 0.05, 0.5),
    "usual": Profile(0.95, 0.15, 0.06, 0.15, 0.05, 0.05),
    "sparse": Profile(0, 0, 0, 0, 0.01, 0.3),
    "dense": Profile(1, 0.6, 0.5, 0.5, 0.6, 0.8),
}


def pointer(*parts):
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


class Events:
    """Makes events; `planted` and `negatives` hold what the last one was given."""

    def __init__(self, dice, profile, users):
        self.d, self.profile = dice, profile
        self.users = [self._user() for _ in range(users)]

    def _user(self):
        d, p = self.d, self.profile
        platform = d.choice(("iOS", "Android", "Web"))
        return {
            "amplitude_id": d.between(10**10, 10**12),
            "mail": d.email() if d.chance(p.mail_user) else None,
            "id": d.choice((d.digits(7), d.uuid(), "u_" + d.hex(12))),
            "device": d.hex(22) if platform == "Web" else d.uuid().upper() + "R",
            "place": d.choice(PLACES),
            "platform": platform,
            "ips": [d.ipv4() if d.chance(0.85) else d.ipv6() for _ in range(3)] if d.chance(p.ip) else [],
            "mail_property": d.email() if d.chance(p.mail_property) else None,
            "geo": (round(d.random.uniform(-60, 70), 4), round(d.random.uniform(-179, 179), 4))
            if d.chance(p.geo)
            else None,
            "os": f"{d.between(9, 17)}.{d.between(0, 6)}",
            "version": f"{d.between(1, 9)}.{d.between(0, 30)}.{d.between(0, 9)}",
            "created": f"{d.date(2023, 2023)} {d.between(0, 23):02}:{d.between(0, 59):02}:07.{d.digits(6)}",
            "plan": d.choice(("free", "pro", "team")),
            "value": round(d.random.uniform(0, 5000), 2),
            "experiments": [f"exp_{d.hex(4)}" for _ in range(d.between(0, 5))],
            "referrer": f"https://www.google.com/search?q={d.choice(('shoes', 'laptop', 'crm'))}&gclid={d.hex(30)}",
        }

    def event(self, hour):
        """One event of that hour as a dict; afterwards `planted` and `negatives` say what is in it."""
        self.planted, self.negatives = [], []
        d, user = self.d, self.d.choice(self.users)
        at = hour + dt.timedelta(microseconds=d.between(0, 3_599_000_000))
        properties, traits = self._properties(user), self._traits(user)
        self._add_negatives(properties)
        while d.chance(self.profile.plants):
            root = d.choice(("event_properties", "event_properties", "user_properties"))
            self._plant(root, properties if root == "event_properties" else traits)
        return self._top(user, at, properties, traits)

    def _properties(self, user):
        d = self.d
        made = {
            "screen": d.choice(("home", "cart", "profile", "search", "pdp")),
            "experiment": d.choice(user["experiments"]) if user["experiments"] else None,
            "price": round(d.random.uniform(1, 500), 2),
            "quantity": d.between(1, 9),
            "currency": d.choice(("USD", "EUR", "BRL")),
            "sku": f"SKU-{d.digits(6)}",
            "duration_ms": d.between(1, 90_000),
            "[Amplitude] Page URL": (
                f"https://shop.example.com/c/{d.digits(5)}?utm_source={d.choice(('fb', 'ig'))}&v={d.hex(6)}"
            ),
            "request_id": d.uuid(),
            "success": d.chance(0.9),
        }
        if d.chance(0.3):
            made["items"] = [
                {
                    "id": d.digits(8),
                    "name": d.choice(("Trail shoe", "Mug", "Läufer", "Café noir")),
                    "price": 9.5,
                    "tags": [d.choice(("new", "eco"))],
                }
                for _ in range(d.between(1, 4))
            ]
        return made

    def _traits(self, user):
        d = self.d
        made = {
            "plan": user["plan"],
            "ltv": user["value"],
            "experiments": user["experiments"],
            "initial_referrer": user["referrer"],
            "locale": d.choice(("en-US", "de-DE", "pt-BR")),
            "push_enabled": True,
            "device_fingerprint": hashlib.md5(str(user["amplitude_id"]).encode()).hexdigest(),
            "cohorts": [d.digits(6) for _ in range(2)],
            "signup": {"channel": d.choice(("organic", "paid")), "at": user["created"][:19].replace(" ", "T") + "Z"},
        }
        if user["mail_property"]:
            made["email"] = user["mail_property"]
            self._note("EMAIL", user["mail_property"], "base", "user_properties", "email")
        return made

    def _note(self, data_type, value, form, *path, where="value"):
        self.planted.append({"path": pointer(*path), "type": data_type, "value": value, "form": form, "where": where})

    def _add_negatives(self, properties):
        d = self.d
        for n in range(d.between(1, 3) if d.chance(self.profile.negatives) else 0):
            kind, text = negative(d)
            key = d.choice(("ref", "meta", "trace", "build", "label", "code")) + str(n)
            number = kind in {"milliseconds", "bigint", "card_luhn_fails"} and d.chance(0.5)
            properties[key] = int(text) if number else text
            self.negatives.append({"path": pointer("event_properties", key), "kind": kind, "value": text})

    def _plant(self, root, into):
        d, thing = self.d, item(self.d)
        key = thing.key if thing.key not in into else f"{thing.key}_{d.hex(3)}"
        whole_number = thing.text.isdigit() and not thing.text.startswith("0") and len(thing.text) <= 18
        forms = [("plain", 45), ("text", 17), ("nested", 8), ("json", 6), ("number", 10 * whole_number)]
        forms += [(form, 5) for form in ("escaped", "url") if thing.data_type == "EMAIL"]
        forms += [("key", 4)] * (thing.data_type in {"EMAIL", "IPV4", "US_SSN"})
        forms += [("base64", 4)] * (thing.data_type in {"EMAIL", "CREDIT_CARD"})
        if thing.needs_key:
            forms = [("plain", 40), ("number", 30 * whole_number), ("customer", 30)]
        form = d.random.choices([name for name, _ in forms], weights=[weight for _, weight in forms])[0]
        getattr(self, f"_as_{form}")(root, into, key, thing)

    def _as_plain(self, root, into, key, thing):
        into[key] = thing.text
        self._note(thing.data_type, thing.text, "key only" if thing.needs_key else "plain", root, key)

    def _as_text(self, root, into, key, thing):
        into[key] = self.d.choice(PROSE).format(thing.text)
        self._note(thing.data_type, thing.text, "text", root, key)

    def _as_nested(self, root, into, key, thing):
        into.setdefault("payload", {}).setdefault("form", {})[key] = [thing.text]
        self._note(thing.data_type, thing.text, "plain", root, "payload", "form", key, "*")

    def _as_customer(self, root, into, key, thing):
        into.setdefault("customer", {})[key] = thing.text
        self._note(thing.data_type, thing.text, "key only", root, "customer", key)

    def _as_json(self, root, into, key, thing):
        into[key] = json.dumps({"id": 7, thing.key: thing.text}, ensure_ascii=False)
        self._note(thing.data_type, thing.text, "json", root, key)

    def _as_number(self, root, into, key, thing):
        into[key] = int(thing.text)
        self._note(thing.data_type, thing.text, "number", root, key)

    def _as_escaped(self, root, into, key, thing):
        into[key] = thing.text.replace("@", ESCAPED_AT)
        self._note(thing.data_type, thing.text, "escaped", root, key)

    def _as_url(self, root, into, key, thing):
        quoted = thing.text.replace("@", "%40").replace("+", "%2B")
        into[key] = f"https://app.example.com/reset?email={quoted}&t={self.d.hex(8)}"
        self._note(thing.data_type, thing.text, "url", root, key)

    def _as_key(self, root, into, key, thing):
        into[thing.text] = True
        self._note(thing.data_type, thing.text, "plain", root, thing.text, where="key")

    def _as_base64(self, root, into, key, thing):
        into[key] = base64.b64encode(f"id={thing.text};v=1".encode()).decode()
        self._note(thing.data_type, thing.text, "base64", root, key)

    def _top(self, user, at, properties, traits):
        d = self.d

        def stamp(milliseconds):
            return (at + dt.timedelta(milliseconds=milliseconds)).strftime("%Y-%m-%d %H:%M:%S.%f")

        ip = d.choice(user["ips"]) if user["ips"] else None
        user_id = user["mail"] or user["id"]
        latitude, longitude = user["geo"] or (None, None)
        if user["mail"]:
            self._note("EMAIL", user_id, "base", "user_id")
        if ip:
            self._note("IPV6" if ":" in ip else "IPV4", ip, "base", "ip_address")
        if user["geo"]:
            self._note("GEO", str(latitude), "base", "location_lat")
            self._note("GEO", str(longitude), "base", "location_lng")
        apple = user["platform"] == "iOS"
        platform, version = user["platform"], user["version"]
        filled = {
            "$insert_id": d.uuid(),
            "amplitude_id": user["amplitude_id"],
            "app": 187520,
            "city": user["place"][0],
            "client_event_time": stamp(0),
            "client_upload_time": stamp(812),
            "country": user["place"][2],
            "data": {"path": "/2/httpapi", "user_properties_updated": True, "group_first_event": {}, "group_ids": {}},
            "data_type": "event",
            "device_carrier": d.choice(("Verizon", "Vodafone", None)),
            "device_family": "Apple iPhone" if apple else platform,
            "device_id": user["device"],
            "device_model": platform,
            "device_type": platform,
            "event_id": d.between(1, 9999),
            "event_properties": properties,
            "event_time": stamp(0),
            "event_type": d.choice(NAMES),
            "ip_address": ip,
            "is_attribution_event": False,
            "language": "English",
            "library": f"amplitude-{d.choice(('ts', 'ios', 'android'))}/{version}",
            "location_lat": latitude,
            "location_lng": longitude,
            "os_name": platform.lower(),
            "os_version": user["os"],
            "platform": platform,
            "processed_time": stamp(90_111),
            "region": user["place"][1],
            "server_received_time": stamp(1_033),
            "server_upload_time": stamp(1_044),
            "session_id": int(at.timestamp() * 1000) - d.between(0, 10**6),
            "start_version": version,
            "user_creation_time": user["created"],
            "user_id": user_id,
            "user_properties": traits,
            "uuid": d.uuid(),
            "version_name": version,
        }
        return dict(sorted((dict.fromkeys(NULLS) | {name: {} for name in EMPTY} | filled).items()))

"""Found and clean, on texts that others wrote: `python -m tests.benchmarks.scanner_found [--missed] [--only SOURCE…]`.

The texts come with installed libraries: the numbers in python-stdnum's docstrings (each bare, and after the name that
its module gives it), the example numbers of every region in phonenumbers, and, where they are installed, what Faker and
schwifty make up. Our own generator's planted items and hard negatives are the last source. Found: the type, at `likely`
or more, over a part of the number. Clean: a text that holds none, without a finding at `likely` or more. The bars are
those of the issue: 90 % found, 98 % clean. A bare number that needs its name is not expected alone, but counted apart.
"""

import argparse
import doctest
import importlib
import pkgutil
import random
import re
import sys
from collections import Counter, defaultdict
from contextlib import suppress
from typing import NamedTuple

import phonenumbers
import stdnum
from phonenumbers import PhoneNumberFormat, PhoneNumberType
from stdnum import iban

from scanner.confirm import Meaning
from scanner.context import NOWHERE, field_path
from scanner.findings import Grade
from scanner.rules import load
from tests.fakes.exports import plants
from tests.fakes.exports.dice import Dice

FOUND, CLEAN = 0.90, 0.98

NO_PERSON = set(
    "isbn issn ismn isan isil isni isrc iso6346 iso9362 cusip figi lei gs1_128 ean cas_rn grid bitcoin".split()
)
"""Modules of numbers for books, records, securities and goods."""

TYPES = {
    "al.nipt": "AL_NIPT", "be.nn": "BE_NN", "br.cpf": "BR_CPF", "es.dni": "ES_NIF",
    "de.idnr": "DE_IDNR", "fr.tva": "EU_VAT", "gb.nhs": "UK_NHS", "gb.utr": "UK_UTR", "gb.upn": "UK_UPN",
    "gb.vat": "UK_VAT", "nl.btw": "NL_VAT", "iban": "IBAN", "imei": "IMEI", "imsi": "IMSI", "meid": "MEID",
    "mac": "MAC", "luhn": "CREDIT_CARD", "us.rtn": "US_ABA", "tr.tckimlik": "TR_TCKN", "it.codicefiscale":
    "IT_CODICE_FISCALE", "it.iva": "IT_PARTITA_IVA", "se.personnummer": "SE_PERSONNUMMER", "cn.ric": "CN_RIC",
    "in_.aadhaar": "IN_AADHAAR", "bitcoin": "BTC",
}  # fmt: skip
"""Where our type is not named after the module."""


class Case(NamedTuple):
    """`types` is empty for a text that must be clean; `refused` are types that a broken number must not be found as."""

    source: str
    types: frozenset[str]
    text: str
    number: str = ""
    field: str = ""
    bare: bool = False
    refused: frozenset[str] = frozenset()


def rule_types(rules):
    """stdnum module → our types, by the validators that the rules name and by the types' names."""
    types = defaultdict(set)
    for rule in rules:
        for pattern in rule.patterns:
            if (pattern.validator or "").startswith("stdnum:"):
                types[pattern.validator.removeprefix("stdnum:")].add(rule.data_type)
    names = {rule.data_type for rule in rules}
    types["vehicle"] = {rule.data_type for rule in rules if "plate" in rule.id or "vehicle_registration" in rule.id}
    for module in modules():
        named = TYPES.get(
            module,
            module.replace("in_.", "in.").replace("is_.", "is.").replace("do_.", "do.").replace(".", "_").upper(),
        )
        if named in names:
            types[module].add(named)
        if module.endswith((".vat", ".tva", ".iva", ".btw", ".mva", ".cif", ".nif", ".dph", ".pvm", ".pvn")):
            types[module] |= {"EU_VAT"} & names
    types["cz.rc"] = {"CZ_RC", "SK_RC"}  # one number, one form
    return types


def modules():
    """Names of the number formats of python-stdnum, below `stdnum.`."""
    walked = pkgutil.walk_packages(stdnum.__path__, "stdnum.")
    names = (module.name.removeprefix("stdnum.") for module in walked if not module.ispkg)
    return sorted(
        name for name in names if name.split(".")[0] not in {"iso7064", "numdb", "util", "exceptions", "_vat"}
    )


def vectors(module):
    """(number, whether it is valid) of the examples in a module's docstring."""
    for example in doctest.DocTestParser().get_examples(module.__doc__ or ""):
        call = re.fullmatch(r"validate\('([^'\\]+)'\)\s*", example.source)
        if call and example.exc_msg is None:
            yield call[1], True
        elif call and "Checksum" in (example.exc_msg or ""):
            yield call[1], False


def names_of(module):
    """The acronym and the spelled-out name in the first line of a module's docstring: `CPF (Cadastro de …, …)`."""
    title = (module.__doc__ or "").strip().splitlines()[0]
    found = re.match(r"([^(,]+)[^(]*\(([^,)]+)", title)
    return (found[1].strip(), found[2].strip()) if found else ()


def from_stdnum(types):
    """Docstring numbers: bare, after each of their names."""
    for name in modules():
        wanted = frozenset(types.get(name, ()))
        if not wanted or name in NO_PERSON:
            continue
        module = importlib.import_module(f"stdnum.{name}")
        for number, valid in vectors(module):
            if not valid:
                yield Case("stdnum", frozenset(), number, number, refused=wanted)
                continue
            yield Case("stdnum", wanted, number, number, bare=True)
            for label in names_of(module):
                yield Case("stdnum", wanted, f"{label}: {number}", number)


def from_phonenumbers(_types):
    """An example of a mobile and of a fixed line in every region."""
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE):
            number = phonenumbers.example_number_for_type(region, kind)
            if number is None:
                continue
            for form, text in ((PhoneNumberFormat.INTERNATIONAL, "{}"), (PhoneNumberFormat.E164, "{}"),
                               (PhoneNumberFormat.NATIONAL, "phone: {}")):  # fmt: skip
                written = phonenumbers.format_number(number, form)
                yield Case("phonenumbers", frozenset(("PHONE",)), text.format(written), written)


def from_generator(_types, count=2000):
    """What our generator plants, and its hard negatives."""
    dice = Dice(20240229)
    for _ in range(count):
        item = plants.item(dice)
        field = f"event_properties.{item.key}" if item.needs_key else ""
        yield Case("generator", frozenset((item.data_type,)), item.text, item.text, field)
        yield Case("generator", frozenset(), plants.negative(dice)[1])


FAKER = {
    "iban": "IBAN", "email": "EMAIL", "ipv4_public": "IPV4", "ipv4_private": "IPV4",
    "ipv6": "IPV6", "mac_address": "MAC", "vin": "VIN",
}  # fmt: skip
"""Faker's methods whose results tell what they are."""

FAKER_NAMED = {
    "phone_number": ("PHONE", "phone: {}"), "swift": ("SWIFT_BIC", "swift: {}"), "license_plate": (None, "plate: {}"),
    "aba": ("US_ABA", "routing number {}"), "credit_card_number": ("CREDIT_CARD", "card {}"),
}  # fmt: skip
"""Methods whose results need a word before them."""

FAKER_IDS = {
    "en_US": ("ssn", "US_SSN", "ssn: {}"),
    "en_GB": ("ssn", "UK_NINO", "national insurance {}"),
    "pt_BR": ("cpf", "BR_CPF", "CPF {}"),
    "it_IT": ("ssn", "IT_CODICE_FISCALE", "codice fiscale {}"),
    "es_ES": ("nif", "ES_NIF", "NIF {}"),
    "fr_FR": ("ssn", "FR_NIR", "numéro de sécurité sociale {}"),
    "pl_PL": ("pesel", "PL_PESEL", "PESEL {}"),
    "sv_SE": ("ssn", "SE_PERSONNUMMER", "personnummer {}"),
    "fi_FI": ("ssn", "FI_HETU", "hetu {}"),
    "nl_NL": ("ssn", "NL_BSN", "BSN {}"),
    "no_NO": ("ssn", "NO_FODSELSNUMMER", "fødselsnummer {}"),
    "zh_CN": ("ssn", "CN_RIC", "身份证 {}"),
    "ko_KR": ("ssn", "KR_RRN", "주민등록번호 {}"),
    "zh_TW": ("ssn", "TW_ID", "身分證 {}"),
    "tr_TR": ("ssn", "TR_TCKN", "TC kimlik {}"),
    "he_IL": ("ssn", "IL_ID", "תעודת זהות {}"),
    "en_IN": ("aadhaar_id", "IN_AADHAAR", "aadhaar {}"),
    "en_CA": ("ssn", "CA_SIN", "SIN {}"),
    "hr_HR": ("ssn", "HR_OIB", "OIB {}"),
    "ro_RO": ("ssn", "RO_CNP", "CNP {}"),
    "et_EE": ("ssn", "EE_IK", "isikukood {}"),
    "lv_LV": ("ssn", "LV_PK", "personas kods {}"),
    "es_MX": ("curp", "MX_CURP", "CURP {}"),
    "es_CL": ("person_rut", "CL_RUT", "RUT {}"),
    "en_ZA": ("ssn", "ZA_ID", "id number {}"),
    "th_TH": ("ssn", "TH_PIN", "เลขประจำตัวประชาชน {}"),
    "uk_UA": ("ssn", "UA_RNTRC", "РНОКПП {}"),
    "sk_SK": ("birth_number", "CZ_RC", "rodné číslo {}"),
    "cs_CZ": ("birth_number", "CZ_RC", "rodné číslo {}"),
    "de_CH": ("ssn", "CH_AHV", "AHV {}"),
    "nl_BE": ("ssn", "BE_NN", "rijksregisternummer {}"),
    "el_GR": ("ssn", "GR_AMKA", "AMKA {}"),
    "de_AT": ("ssn", "AT_VNR", "SVNR {}"),
    "en_PH": ("ssn", "PH_SSS", "SSS {}"),
}
"""Locale → method, type, a text as it is written there."""


def from_faker(types, count=8):
    """Faker in all its locales: identities, accounts, addresses of machines, plates."""
    faker = importlib.import_module("faker")
    for locale in faker.config.AVAILABLE_LOCALES:
        with suppress(AttributeError, ImportError, TypeError):
            make = faker.Faker(locale)
            make.seed_instance(4711)
            for _ in range(count):
                for method, data_type in FAKER.items():
                    number = str(getattr(make, method)())
                    if method != "iban" or iban.is_valid(number):  # it has wrong lengths for some countries
                        yield Case("faker", frozenset((data_type,)), number, number)
                for method, (data_type, form) in FAKER_NAMED.items():
                    number = str(getattr(make, method)())
                    wanted = frozenset((data_type,) if data_type else types["vehicle"])
                    yield Case("faker", wanted, form.format(number), number)
                if locale in FAKER_IDS:
                    method, data_type, form = FAKER_IDS[locale]
                    number = str(getattr(make, method)())
                    yield Case("faker", frozenset((data_type,)), form.format(number), number)
                yield Case("faker", frozenset(), make.sentence())
                yield Case("faker", frozenset(), make.bs() if hasattr(make, "bs") else make.word())


def from_schwifty(_types, count=3):
    """Accounts of every country in the IBAN registry, as a machine and as a person writes them."""
    schwifty = importlib.import_module("schwifty")
    for country in sorted(schwifty.iban.registry.get_countries()):
        for seed in range(count):
            with suppress(Exception):
                account = schwifty.IBAN.random(country_code=country, random=random.Random(seed))
                if not iban.is_valid(account.compact):  # it knows countries that are not in the registry
                    continue
                for written in (account.compact, account.formatted):
                    yield Case("schwifty", frozenset(("IBAN",)), written, written)


SOURCES = {
    "stdnum": from_stdnum, "phonenumbers": from_phonenumbers, "faker": from_faker, "schwifty": from_schwifty,
    "generator": from_generator,
}  # fmt: skip


def judged(meaning, case):
    """Whether the case went as it should, and the types that were found."""
    context = meaning.contexts.of(field_path(case.field)) if case.field else NOWHERE
    hits = [hit for hit in meaning.confirm(case.text, meaning.mask.all, context) if hit.grade >= Grade.LIKELY]
    found = {hit.data_type for hit in hits}
    if case.refused:
        return not found & case.refused, found
    if not case.types:
        return not hits, found
    begin = case.text.index(case.number)
    touching = {hit.data_type for hit in hits if hit.start < begin + len(case.number) and hit.end > begin}
    return bool(touching & case.types), found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--missed", action="store_true", help="show the texts that went wrong")
    parser.add_argument("--only", nargs="+", choices=sorted(SOURCES), default=list(SOURCES))
    options = parser.parse_args()
    ruleset = load()
    meaning, types = Meaning(ruleset), rule_types(ruleset.rules)
    good, all_of, by_type = Counter(), Counter(), defaultdict(Counter)
    for source in options.only:
        try:
            for case in SOURCES[source](types):
                kind = "refused" if case.refused else "clean" if not case.types else "bare" if case.bare else "found"
                fine, found = judged(meaning, case)
                good[source, kind] += fine
                all_of[source, kind] += 1
                if kind == "found":
                    by_type["/".join(sorted(case.types))[:60]][fine] += 1
                if options.missed and not fine:
                    print(
                        f"{source} {kind} {'/'.join(sorted(case.types | case.refused))}: {case.text!r} {sorted(found)}"
                    )
        except ImportError:
            print(f"{source}: not installed, left out", file=sys.stderr)
    for name, counts in sorted(by_type.items()):
        if counts[False]:
            print(f"{name:40} {counts[True]:5} of {counts.total():5} {counts[True] / counts.total():7.1%}")
    for source, kind in sorted(all_of):
        n = all_of[source, kind]
        print(f"{source:14} {kind:8} {good[source, kind]:6} of {n:6} {good[source, kind] / n:7.1%}")
    for kind, bar in (("found", FOUND), ("clean", CLEAN)):
        n = sum(count for (_, of), count in all_of.items() if of == kind)
        share = sum(count for (_, of), count in good.items() if of == kind) / max(n, 1)
        print(f"{kind}: {share:.2%} of {n}, bar {bar:.0%}: {'pass' if share >= bar else 'FAIL'}")


if __name__ == "__main__":
    main()

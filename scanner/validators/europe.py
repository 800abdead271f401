"""Check digits and inner rules of European numbers that python-stdnum lacks, or judges otherwise than their issuers.

Each test is given the letters (upper case) and digits of the match, without separators. The weights are those of the
issuers: a name and a table say it all, so there is one function for each kind of arithmetic and a table for the rest.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterable

from stdnum import luhn, verhoeff
from stdnum.ch import uid
from stdnum.de import idnr, stnr
from stdnum.es import dni
from stdnum.eu import vat
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.gb import nhs
from stdnum.iso7064 import mod_11_10
from stdnum.no import orgnr as no_orgnr
from stdnum.se import orgnr as se_orgnr

_SEPARATORS = re.compile(r"[^0-9A-Za-z]")
_LAST = re.compile(r"[0-9A-Za-z](?=[^0-9A-Za-z]|\Z)")
_POSTCODE_AREAS = frozenset(
    re.findall(
        "[A-Z]+",
        """AB AL B BA BB BD BF BH BL BN BR BS BT BX CA CB CF CH CM CO CR CT CV CW DA DD DE DG DH DL DN DT DY E EC EH EN
        EX FK FY G GIR GL GU GY HA HD HG HP HR HS HU HX IG IM IP IV JE KA KT KW KY L LA LD LE LL LN LS LU M ME MK ML N
        NE NG NN NP NR NW OL OX PA PE PH PL PO PR RG RH RM S SA SE SG SK SL SM SN SO SP SR SS ST SW SY TA TD TF TN TQ
        TR TS TW UB W WA WC WD WF WN WR WS WV YO ZE""",
    )
)
_NO_PLATE = frozenset(re.findall("[A-Z]+", "JAN FEB MAR APR MAY JUN JUL AUG SEP NOV DEC YTD USD GBP EUR AND THE FOR"))


def _whole(test: Callable[[str], bool]) -> Callable[[str], int]:
    """A validator that accepts the whole match or nothing."""

    def accepted(text: str) -> int:
        return len(text) if test(_SEPARATORS.sub("", text).upper()) else 0

    return accepted


def _value(char: str) -> int:
    """0-9 for digits, 10-35 for letters, as in machine-readable travel documents."""
    return int(char, 36)


def _weighted(chars: str, weights: Iterable[int]) -> int:
    return sum(_value(char) * weight for char, weight in zip(chars, weights, strict=False))


def _digit_sums(digits: str, weights: Iterable[int]) -> int:
    """The sum of the digits of each product."""
    return sum(sum(divmod(int(digit) * weight, 10)) for digit, weight in zip(digits, weights, strict=False))


def _icao(chars: str) -> bool:
    """The last digit checks the rest by the weights 7, 3, 1 of travel documents (ICAO 9303)."""
    return chars[-1] == str(_weighted(chars[:-1], (7, 3, 1) * 5) % 10)


def _icao_card(chars: str) -> bool:
    """The same on German cards, where a D for the nationality may follow."""
    return _icao(chars.removesuffix("D"))


def _is_date(year: int, month: int, day: int) -> bool:
    return 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]


def _not_uniform(chars: str) -> bool:
    """Placeholders such as 0000000000 pass many checks."""
    return len(set(chars)) > 1


def _document(chars: str) -> bool:
    """Letters before digits that are no series but prose: `NO 1234567`."""
    return chars[:2] not in {"ID", "IS", "NO", "NR"}


def _uk_nino(chars: str) -> bool:
    return chars[:2] not in {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}


def _uk_driving_licence(chars: str) -> bool:
    """Five letters of the surname and two initials, each filled up with nines; month (+50 for women) and day."""
    names = re.match(r"[A-Z]+9*\Z", chars[:5]) and re.match(r"[A-Z][A-Z9]|99", chars[11:13])
    return bool(names) and _is_date(2000, int(chars[6:8]) % 50, int(chars[8:10]))


def _uk_plate(chars: str) -> bool:
    """The two-digit age of plates since 2001; tokens such as `FY24 MAR` are no plates."""
    return (2 <= int(chars[2:4]) <= 29 or 51 <= int(chars[2:4]) <= 79) and chars[4:] not in _NO_PLATE


def _uk_postcode(chars: str) -> bool:
    """The area exists. `8GB` and `1TB` are sizes, whatever stands before."""
    return re.split("[0-9]", chars)[0] in _POSTCODE_AREAS and not chars.endswith(("GB", "TB"))


def _de_idnr(chars: str) -> bool:
    """Of the ten digits one must occur twice or thrice; samples that run `1234567890` are taken for real."""
    return idnr.is_valid(chars) or (len(set(chars[:10])) == 10 and mod_11_10.is_valid(chars))


def _de_stnr(chars: str) -> bool:
    """With the state's code before the tax office's and a zero, or as the states write it."""
    return stnr.is_valid(chars) or (len(chars) == 13 and "01" <= chars[:2] <= "16")


def _uk_nhs(chars: str) -> bool:
    return _not_uniform(chars) and nhs.is_valid(chars)


def _fr_nir(chars: str) -> bool:
    """With its two check digits, or the thirteen characters before them, which nothing checks."""
    return len(chars) == 13 or nir.is_valid(chars)


def _de_rvnr(chars: str) -> bool:
    """Pension insurance: the day of birth may be raised by 50; the letter counts as its place in the alphabet."""
    digits = f"{chars[:8]}{_value(chars[8]) - 9:02}{chars[9:11]}"
    plausible = _is_date(2000, int(chars[4:6]), int(chars[2:4]) % 50) and int(chars[2:4]) <= 81
    return plausible and str(_digit_sums(digits, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)) % 10) == chars[11]


def _de_kvnr(chars: str) -> bool:
    digits = f"{_value(chars[0]) - 9:02}{chars[1:9]}"
    return str(_digit_sums(digits, (1, 2) * 5) % 10) == chars[9]


def _de_lanr(chars: str) -> bool:
    """A physician's number: the seventh digit checks the six before; two digits of the speciality follow."""
    return _not_uniform(chars) and str(-_weighted(chars[:6], (4, 9) * 3) % 10) == chars[6]


def _ch_uid(chars: str) -> bool:
    return uid.is_valid("CHE" + re.sub("[A-Z]", "", chars))


def _lu_matricule(chars: str) -> bool:
    """Two check digits over the first eleven: Luhn, then Verhoeff."""
    return luhn.is_valid(chars[:12]) and verhoeff.is_valid(chars[:11] + chars[12])


def _es_nss(chars: str) -> bool:
    """Social security: province and number modulo 97; a number below ten million is filled up to seven digits."""
    number = int(chars[2:10])
    joined = int(chars[:2]) * 10_000_000 + number if number < 10_000_000 else int(chars[:10])
    return number > 0 and joined % 97 == int(chars[10:])


def _es_dni(chars: str) -> bool:
    return dni.is_valid(chars.zfill(9))


def _pt_niss(chars: str) -> bool:
    return str(9 - _weighted(chars[:10], (29, 23, 19, 17, 13, 11, 7, 5, 3, 2)) % 10) == chars[10]


def _se_personnummer(chars: str) -> bool:
    """Ten digits after an optional century; the day of a coordination number is raised by 60."""
    month, day = int(chars[-8:-6]), int(chars[-6:-4]) % 60
    years = [int(chars[:4])] if len(chars) == 12 else [1900 + int(chars[:2]), 2000 + int(chars[:2])]
    return any(_is_date(year, month, day) for year in years) and luhn.is_valid(chars[-10:])


def _se_orgnr(chars: str) -> bool:
    return se_orgnr.is_valid(chars[-10:])


def _no_orgnr(chars: str) -> bool:
    """Alone, or as a VAT number between `NO` and `MVA`."""
    return no_orgnr.is_valid(re.sub("[A-Z]", "", chars))


def _dk_cpr(chars: str) -> bool:
    """The modulus 11 that numbers had until 2007; later ones are told by their date alone."""
    return _weighted(chars, (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0 and _dk_date(chars)


def _dk_date(chars: str) -> bool:
    """The seventh digit tells the century; nobody is born after 2036 yet."""
    year, century = int(chars[4:6]), chars[6]
    unborn = 37 <= year <= 57 and century in "5678"
    return not unborn and _is_date(2000, int(chars[2:4]), int(chars[:2]))


def _pl_id_card(chars: str) -> bool:
    return _weighted(chars, (7, 3, 1, 9, 7, 3, 1, 7, 3)) % 10 == 0


def _pl_passport(chars: str) -> bool:
    return _weighted(chars, (7, 3, 9, 1, 7, 3, 1, 7, 3)) % 10 == 0


def _hu_taj(chars: str) -> bool:
    return _not_uniform(chars) and str(_weighted(chars[:8], (3, 7) * 4) % 10) == chars[8]


def _hu_tax_id(chars: str) -> bool:
    return str(_weighted(chars[:9], range(1, 10)) % 11) == chars[9]


def _hu_personal_number(chars: str) -> bool:
    """Born before 1997 the weights rise, later they fall."""
    sums = (_weighted(chars[:10], range(1, 11)), _weighted(chars[:10], range(10, 0, -1)))
    return _is_date(2000, int(chars[3:5]), int(chars[5:7])) and chars[10] in {str(total % 11) for total in sums}


def _hu_adoszam(chars: str) -> bool:
    """A company's tax number: the eighth digit checks the seven before; a VAT digit and a county follow."""
    return str(-_weighted(chars[:7], (9, 7, 3, 1, 9, 7, 3)) % 10) == chars[7] and chars[8] in "12345"


def _ru_snils(chars: str) -> bool:
    return _not_uniform(chars) and f"{_weighted(chars[:9], range(9, 0, -1)) % 101 % 100:02}" == chars[9:]


def _eu_vat(text: str) -> int:
    """The longest leading part that is a VAT number: in prose a word may follow that looks like its end."""
    ends = [match.end() for match in _LAST.finditer(text)]
    return max((end for end in ends if vat.is_valid(text[:end])), default=0)


_TESTS: dict[str, Callable[[str], bool]] = {
    "icao": _icao,
    "icao_card": _icao_card,
    "not_uniform": _not_uniform,
    "document": _document,
    "uk.nino": _uk_nino,
    "uk.driving_licence": _uk_driving_licence,
    "uk.plate": _uk_plate,
    "uk.postcode": _uk_postcode,
    "uk.nhs": _uk_nhs,
    "de.idnr": _de_idnr,
    "de.stnr": _de_stnr,
    "fr.nir": _fr_nir,
    "ch.uid": _ch_uid,
    "de.rvnr": _de_rvnr,
    "de.kvnr": _de_kvnr,
    "de.lanr": _de_lanr,
    "lu.matricule": _lu_matricule,
    "es.nss": _es_nss,
    "es.dni": _es_dni,
    "pt.niss": _pt_niss,
    "no.orgnr": _no_orgnr,
    "se.orgnr": _se_orgnr,
    "se.personnummer": _se_personnummer,
    "dk.cpr": _dk_cpr,
    "dk.date": _dk_date,
    "pl.id_card": _pl_id_card,
    "pl.passport": _pl_passport,
    "hu.taj": _hu_taj,
    "hu.tax_id": _hu_tax_id,
    "hu.personal_number": _hu_personal_number,
    "hu.adoszam": _hu_adoszam,
    "ru.snils": _ru_snils,
}

VALIDATORS: dict[str, Callable[[str], int]] = {
    **{name: _whole(test) for name, test in _TESTS.items()},
    "fi.hetu": lambda text: len(text) if hetu.is_valid(text, allow_temporary=True) else 0,
    "eu.vat": _eu_vat,
}

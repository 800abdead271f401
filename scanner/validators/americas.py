"""Checks of the Americas' numbers: how many of a matched text's leading characters are accepted, 0 for none."""

from __future__ import annotations

import re
from collections.abc import Callable

from stdnum.br import cnpj, cpf
from stdnum.mx import rfc

from scanner.validators.arithmetic import is_short_date, luhn, of_bare, same_digits, weighted

_PUBLISHED_SSNS = frozenset({"078051120", "219099999", "457555462"})
"""Numbers that wallets, leaflets and advertisements made public: void, and in every sample since."""


def is_issued_ssn(number: str) -> bool:
    """Nine digits that the Social Security Administration can have issued: area, group and serial are in use."""
    area, group, serial = number[:3], number[3:5], number[5:]
    issued = area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"
    return issued and number not in _PUBLISHED_SSNS


def is_ssn(number: str) -> bool:
    """The same, and not one digit repeated. `123-45-6789` may be issued, and stands where real ones will stand."""
    return is_issued_ssn(number) and not same_digits(number)


def is_ohip(number: str) -> bool:
    """Ontario's health number: ten digits by Luhn's formula, perhaps with a version code of two letters."""
    return number[0] != "0" and luhn(number[:10])


def is_ramq(number: str) -> bool:
    """Quebec's health insurance number: four letters, then a birth date with the month raised by 50 for women."""
    month = int(number[6:8])
    return is_short_date(f"{number[4:6]}{month - 50 if month > 50 else month:02d}{number[8:10]}")


def is_bn(number: str) -> bool:
    """Canada's business number: nine digits by Luhn's formula, perhaps with a programme account."""
    return luhn(number[:9]) and not same_digits(number[:9])


def is_clabe(number: str) -> bool:
    """Mexico's standard bank account: 17 digits and a check digit of weights 3, 7, 1 taken modulo 10 each."""
    total = sum(int(d) * (3, 7, 1)[place % 3] % 10 for place, d in enumerate(number[:17]))
    return -total % 10 == int(number[17]) and not same_digits(number)


def is_rfc(number: str) -> bool:
    """Mexico's tax number: initials and a date."""
    return bool(rfc.is_valid(number))


def is_checked_rfc(number: str) -> bool:
    """Mexico's tax number of full length, with its check digit."""
    return len(number) > 10 and bool(rfc.is_valid(number, validate_check_digits=True))


def is_nss(number: str) -> bool:
    """Mexico's social security number: eleven digits by Luhn's formula."""
    return luhn(number) and not same_digits(number)


def is_cpf(number: str) -> bool:
    """Brazil's taxpayer number: nine digits, then two check digits, not all the same."""
    return not same_digits(number) and bool(cpf.is_valid(number))


def is_cnpj(number: str) -> bool:
    """Brazil's company number, of digits, or with letters as issued from July 2026 on."""
    return not same_digits(number) and number[12:].isdigit() and bool(cnpj.is_valid(number))


def is_cnh(number: str) -> bool:
    """Brazil's driving licence: nine digits and two check digits; an overflow of the first lowers the second by two."""
    first = weighted(number, range(9, 0, -1)) % 11
    second = weighted(number[:9], range(1, 10)) % 11
    lowered = second - 2 if first == 10 else second
    checks = first % 10, (lowered % 11) % 10
    return checks == (int(number[9]), int(number[10])) and not same_digits(number)


def is_pis(number: str) -> bool:
    """Brazil's worker number (PIS, PASEP, NIS, NIT): ten digits and a check digit modulo 11."""
    check = 11 - weighted(number, (3, 2, 9, 8, 7, 6, 5, 4, 3, 2)) % 11
    return (0 if check > 9 else check) == int(number[10]) and not same_digits(number)


def is_titulo(number: str) -> bool:
    """Brazil's voter number: serial, state (01 to 28), two check digits, never 0 in the first two states."""
    serial, state, checks = number[:-4], number[-4:-2], number[-2:]
    least = 1 if state in ("01", "02") else 0
    first = max(weighted(serial[:8], range(2, 10)) % 11 % 10, least)
    second = max(weighted(f"{state}{first}", (7, 8, 9)) % 11 % 10, least)
    return 1 <= int(state) <= 28 and checks == f"{first}{second}"


def is_cns(number: str) -> bool:
    """Brazil's health card: 15 digits whose sum weighted from 15 down is divisible by 11."""
    return number[0] in "12789" and weighted(number, range(15, 0, -1)) % 11 == 0 and not same_digits(number)


def is_uruguayan_ci(number: str) -> bool:
    """Uruguay's identity card: six or seven digits and a check digit modulo 10."""
    padded = number.zfill(8)
    return -weighted(padded[:7], (2, 9, 8, 7, 6, 3, 4)) % 10 == int(padded[7]) and not same_digits(number)


def is_dui(number: str) -> bool:
    """El Salvador's identity document: eight digits and a check digit modulo 10."""
    return -weighted(number[:8], range(9, 1, -1)) % 10 == int(number[8]) and not same_digits(number)


def _rfc_text(check: Callable[[str], bool]) -> Callable[[str], int]:
    return of_bare(lambda number: bool(re.fullmatch(r"[A-Z0-9&Ñ]+", number)) and check(number))


VALIDATORS: dict[str, Callable[[str], int]] = {
    "us.ssn": of_bare(is_ssn),
    "us.ssn_in_context": of_bare(is_issued_ssn),
    "ca.ohip": of_bare(is_ohip),
    "ca.ramq": of_bare(is_ramq),
    "ca.bn": of_bare(is_bn),
    "mx.clabe": of_bare(is_clabe),
    "mx.rfc": _rfc_text(is_rfc),
    "mx.rfc_checked": _rfc_text(is_checked_rfc),
    "mx.nss": of_bare(is_nss),
    "br.cpf": of_bare(is_cpf),
    "br.cnpj": of_bare(is_cnpj),
    "br.cnh": of_bare(is_cnh),
    "br.pis": of_bare(is_pis),
    "br.titulo": of_bare(is_titulo),
    "br.cns": of_bare(is_cns),
    "uy.ci": of_bare(is_uruguayan_ci),
    "sv.dui": of_bare(is_dui),
}

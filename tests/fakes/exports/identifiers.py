"""Identifiers with right check digits, as a table: data type → (how to make one, its key, whether it tells itself)."""

import importlib

from stdnum import luhn, verhoeff
from stdnum.iso7064 import mod_11_10, mod_97_10

CONSONANTS = "BCDFGHJKLMNPQRSTVWXYZ"


def valid(module, make):
    """Draw until the library's own check agrees."""
    is_valid = importlib.import_module(f"stdnum.{module}").is_valid

    def draw(dice):
        while not is_valid(number := make(dice)):
            pass
        return number

    return draw


def checked(module, name="calc_check_digit"):
    return getattr(importlib.import_module(f"stdnum.{module}"), name)


def spaced(text, *sizes, by=" "):
    parts, at = [], 0
    for size in sizes:
        parts.append(text[at : at + size])
        at += size
    return by.join(parts)


def es_nif(d):
    return (n := d.digits(8)) + checked("es.dni")(n)


def es_nie(d):
    return (n := d.choice("XYZ") + d.digits(7)) + checked("es.nie")(n)


def codice_fiscale(d):
    born = d.date()
    head = d.letters(6, "BCDFGLMNPRSTVZ") + f"{born:%y}{'ABCDEHLMPRST'[born.month - 1]}{born.day:02}"
    head += d.choice("ABCDEFGHIL") + d.digits(3)
    return head + checked("it.codicefiscale")(head)


def fr_nir(d):
    head = f"{d.choice('12')}{d.date():%y%m}{d.choice(('13', '33', '59', '75'))}"
    head += f"{d.between(1, 900):03}{d.between(1, 999):03}"
    return head + checked("fr.nir", "calc_check_digits")(head)


def cpf(d):
    n = d.digits(9)
    n += checked("br.cpf", "_calc_check_digits")(n)
    return f"{n[:3]}.{n[3:6]}.{n[6:9]}-{n[9:]}"


def cnpj(d):
    n = d.digits(8) + "0001"
    n += checked("br.cnpj", "calc_check_digits")(n)
    return f"{n[:2]}.{n[2:5]}.{n[5:8]}/{n[8:12]}-{n[12:]}"


def pesel(d):
    born = d.date()
    n = f"{born:%y}{born.month + 20 * (born.year >= 2000):02}{born.day:02}{d.digits(4)}"
    return n + checked("pl.pesel")(n)


def nino(d):
    n = d.choice("ABCEHJKLMPRSTWXY") + d.choice("ABCEHJKLMPRSTWXZ") + d.digits(6) + d.choice("ABCD")
    n = "AB" + n[2:] if n[:2] in {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"} else n
    return n if d.chance(0.5) else spaced(n, 2, 2, 2, 2, 1)


def aadhaar(d):
    n = d.choice("23456789") + d.digits(10)
    return spaced(n + verhoeff.calc_check_digit(n), 4, 4, 4)


def personnummer(d):
    n = f"{d.date():%y%m%d}{d.digits(3)}"
    return f"{n[:6]}-{n[6:]}{luhn.calc_check_digit(n)}"


def hetu(d):
    born, serial = d.date(), f"{d.between(2, 899):03}"
    day = f"{born:%d%m%y}"
    return day + "-A"[born.year >= 2000] + serial + "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(day + serial) % 31]


def nric(d):
    prefix, n = d.choice("ST"), d.digits(7)
    total = sum(int(a) * b for a, b in zip(n, (2, 7, 6, 5, 4, 3, 2), strict=True)) + 4 * (prefix == "T")
    return prefix + n + "JZIHGFEDCBA"[total % 11]


def rrn(d):
    n = f"{d.date(1940, 1999):%y%m%d}{d.choice('12')}{d.between(0, 95):02}{d.digits(3)}"
    return f"{n[:6]}-{n[6:]}{checked('kr.rrn')(n)}"


def cn_ric(d):
    n = f"{d.choice(('110101', '310101', '120101'))}{d.date():%Y%m%d}{d.digits(3)}"
    return n + checked("cn.ric")(n + "0")


def curp(d):
    n = d.choice(CONSONANTS) + d.choice("AEIOU") + d.letters(2, CONSONANTS) + f"{d.date(1940, 1999):%y%m%d}"
    n += d.choice("HM") + d.choice(("DF", "JC", "NL", "PL", "VZ")) + d.letters(3, CONSONANTS) + "0"
    return n + checked("mx.curp")(n)


def tckn(d):
    n = d.choice("123456789") + d.digits(8)
    return n + checked("tr.tckimlik", "calc_check_digits")(n)


def rut(d):
    n = str(d.between(5_000_000, 24_999_999))
    return f"{int(n):,}".replace(",", ".") + "-" + checked("cl.rut")(n)


def be_nn(d):
    n = f"{d.date(1940, 1999):%y%m%d}{d.between(1, 997):03}"
    return f"{n[:2]}.{n[2:4]}.{n[4:6]}-{n[6:]}.{97 - int(n) % 97:02}"


def za_id(d):
    n = f"{d.date(1940, 1999):%y%m%d}{d.digits(4)}08"
    return n + luhn.calc_check_digit(n)


def de_idnr(d):
    n = d.digits(10)
    return n + mod_11_10.calc_check_digit(n)


def pan(d):
    return d.letters(3) + "P" + d.letters(1) + f"{d.between(1, 9999):04}" + d.letters(1)


def iban(d):
    country, size, bank = d.choice(
        (("DE", 18, ""), ("GB", 14, "NWBK"), ("ES", 20, ""), ("NL", 10, "INGB"), ("PL", 24, ""))
    )
    body = bank + d.digits(size)
    text = country + mod_97_10.calc_check_digits(body + country) + body
    return text if d.chance(0.6) else " ".join(text[i : i + 4] for i in range(0, len(text), 4))


def card(d):
    prefix, size = d.choice(
        (("4", 16), ("51", 16), ("53", 16), ("2223", 16), ("34", 15), ("37", 15), ("6011", 16), ("36", 14))
    )
    n = prefix + d.digits(size - 1 - len(prefix))
    n += luhn.calc_check_digit(n)
    if d.chance(0.5) or size == 14:
        return n
    return spaced(n, *((4, 4, 4, 4) if size == 16 else (4, 6, 5)), by=d.choice("- "))


def imei(d):
    n = d.choice(("35", "86", "01")) + d.digits(12)
    return n + luhn.calc_check_digit(n)


NATIONAL = {
    "ES_NIF": (es_nif, "dni", True),
    "ES_NIE": (es_nie, "nie", True),
    "IT_CODICE_FISCALE": (codice_fiscale, "codice_fiscale", True),
    "FR_NIR": (valid("fr.nir", fr_nir), "numero_secu", True),
    "BR_CPF": (cpf, "cpf", True),
    "BR_CNPJ": (cnpj, "cnpj", True),
    "PL_PESEL": (pesel, "pesel", False),
    "NL_BSN": (valid("nl.bsn", lambda d: d.digits(9)), "bsn", False),
    "DE_IDNR": (valid("de.idnr", de_idnr), "steuer_id", False),
    "UK_NINO": (nino, "nino", True),
    "UK_NHS": (valid("gb.nhs", lambda d: spaced(d.digits(10), 3, 3, 4)), "nhs_number", True),
    "IN_AADHAAR": (valid("in_.aadhaar", aadhaar), "aadhaar", True),
    "IN_PAN": (pan, "pan_card", True),
    "CA_SIN": (valid("ca.sin", lambda d: spaced(d.choice("1234567") + d.digits(8), 3, 3, 3, by="-")), "sin", True),
    "AU_TFN": (valid("au.tfn", lambda d: d.digits(9)), "tfn", False),
    "SE_PERSONNUMMER": (personnummer, "personnummer", True),
    "FI_HETU": (hetu, "hetu", True),
    "SG_NRIC": (nric, "nric", True),
    "KR_RRN": (rrn, "rrn", True),
    "CN_RIC": (cn_ric, "id_card", True),
    "MX_CURP": (valid("mx.curp", curp), "curp", True),
    "TR_TCKN": (tckn, "tckn", False),
    "CL_RUT": (rut, "rut", True),
    "BE_NN": (be_nn, "rijksregister", True),
    "ZA_ID": (za_id, "id_number", False),
    "US_PASSPORT": (lambda d: d.choice("ABCDEFGHJKLM") + d.digits(8), "passport_number", False),
}

"""The rules for the Americas, Asia, Oceania, Africa, the Middle East, health and travel, judged by their own examples
and by the numbers that python-stdnum's documentation gives as right and wrong."""

from __future__ import annotations

import inspect
import re
from importlib import import_module, resources
from types import ModuleType
from typing import NamedTuple

import pytest

from scanner.confirm import Meaning
from scanner.context import field_path
from scanner.findings import Grade
from scanner.rules import load
from scanner.rules.model import Example, Rule
from scanner.validators import americas, documents, health, lookup, world

RULES = load()
MEANING = Meaning(RULES)
FILES = ("north_america", "latin_america", "asia", "oceania", "africa_middle_east", "health", "travel")


def found(text: str, field: str = "") -> set[str]:
    """The types found at `likely` or more."""
    context = MEANING.contexts.of(field_path(field))
    return {hit.data_type for hit in MEANING.confirm(text, MEANING.mask.all, context) if hit.grade >= Grade.LIKELY}


class Vector(NamedTuple):
    module: str
    number: str
    valid: bool


_DOCTEST = re.compile(r"^>>> validate\((?P<quote>['\"])(?P<number>.*?)(?P=quote)\).*\n(?P<answer>.*)$", re.MULTILINE)

# python-stdnum's module → our type and the words people write beside it
KNOWN = {
    "us.ssn": ("US_SSN", "SSN"),
    "us.itin": ("US_ITIN", "ITIN"),
    "us.atin": ("US_ATIN", "ATIN"),
    "us.ptin": ("US_PTIN", "PTIN"),
    "us.ein": ("US_EIN", "EIN"),
    "ca.sin": ("CA_SIN", "social insurance number"),
    "ca.bn": ("CA_BN", "business number"),
    "ca.bc_phn": ("CA_BC_PHN", "personal health number"),
    "mx.curp": ("MX_CURP", "CURP"),
    "mx.rfc": ("MX_RFC", "RFC"),
    "br.cpf": ("BR_CPF", "CPF"),
    "br.cnpj": ("BR_CNPJ", "CNPJ"),
    "ar.dni": ("AR_DNI", "DNI"),
    "ar.cuit": ("AR_CUIT", "CUIT"),
    "ar.cbu": ("AR_CBU", "CBU"),
    "cl.rut": ("CL_RUT", "RUT"),
    "co.nit": ("CO_NIT", "NIT"),
    "pe.cui": ("PE_CUI", "DNI peruano"),
    "pe.ruc": ("PE_RUC", "RUC"),
    "ec.ci": ("EC_CI", "cédula"),
    "ec.ruc": ("EC_RUC", "RUC"),
    "uy.rut": ("UY_RUT", "RUT"),
    "ve.rif": ("VE_RIF", "RIF"),
    "do.cedula": ("DO_CEDULA", "cédula"),
    "do.rnc": ("DO_RNC", "RNC"),
    "gt.nit": ("GT_NIT", "NIT"),
    "py.ruc": ("PY_RUC", "RUC"),
    "cr.cpf": ("CR_CPF", "CPF"),
    "cr.cpj": ("CR_CPJ", "cédula jurídica"),
    "cr.cr": ("CR_DIMEX", "DIMEX"),
    "cu.ni": ("CU_NI", "carné de identidad"),
    "sv.nit": ("SV_NIT", "NIT"),
    "in_.aadhaar": ("IN_AADHAAR", "Aadhaar"),
    "in_.vid": ("IN_VID", "Aadhaar virtual ID"),
    "in_.pan": ("IN_PAN", "PAN"),
    "in_.epic": ("IN_VOTER", "voter id"),
    "in_.gstin": ("IN_GSTIN", "GSTIN"),
    "pk.cnic": ("PK_CNIC", "CNIC"),
    "cn.ric": ("CN_RIC", "身份证"),
    "cn.uscc": ("CN_USCC", "unified social credit code"),
    "tw.ubn": ("TW_UBN", "UBN"),
    "jp.in_": ("JP_MY_NUMBER", "My Number"),
    "jp.cn": ("JP_CN", "corporate number"),
    "kr.rrn": ("KR_RRN", "RRN"),
    "kr.brn": ("KR_BRN", "BRN"),
    "sg.uen": ("SG_UEN", "UEN"),
    "my.nric": ("MY_NRIC", "MyKad"),
    "th.pin": ("TH_PIN", "Thai ID"),
    "th.moa": ("TH_TIN", "MOA"),
    "th.tin": ("TH_TIN", "Thai tax ID"),
    "id.nik": ("ID_NIK", "NIK"),
    "id.npwp": ("ID_NPWP", "NPWP"),
    "vn.mst": ("VN_MST", "MST"),
    "au.tfn": ("AU_TFN", "TFN"),
    "au.abn": ("AU_ABN", "ABN"),
    "au.acn": ("AU_ACN", "ACN"),
    "nz.ird": ("NZ_IRD", "IRD number"),
    "nz.bankaccount": ("NZ_BANK_ACCOUNT", "bank account"),
    "il.idnr": ("IL_ID", "teudat zehut"),
    "il.hp": ("IL_HP", "company number"),
    "za.idnr": ("ZA_ID", "South African ID"),
    "za.tin": ("ZA_TIN", "tax reference"),
    "ke.pin": ("KE_PIN", "KRA PIN"),
    "eg.tn": ("EG_TN", "Egyptian tax number"),
    "gh.tin": ("GH_TIN", "TIN"),
    "mu.nid": ("MU_NID", "Mauritian NID"),
    "ma.ice": ("MA_ICE", "ICE"),
    "tn.mf": ("TN_MF", "matricule fiscal"),
    "dz.nif": ("DZ_NIF", "NIF"),
    "sn.ninea": ("SN_NINEA", "NINEA"),
    "gn.nifp": ("GN_NIFP", "NIFp"),
    "mz.nuit": ("MZ_NUIT", "NUIT"),
}

# where we knowingly answer otherwise
DIFFERENT = {
    ("us.atin", "123-45-6789"): "all are issued as 9xx-93-xxxx; the library checks the form only",
    ("br.cnpj", "12. ABC.345 /01DE\u201335"): "blanks beside the other separators are for cleaning, not for finding",
    ("kr.brn", " 116 - 82 - 00276  "): "the same",
    ("in_.pan", "ABMXA3211G"): "people who write PAN before it mean one, even where the fourth letter is invented",
    ("in_.pan", "ACUPA0000R"): "the same",
    ("in_.epic", "WKH1186263"): "voter ids of older series have no check digit",
    ("in_.gstin", "27AAPFU0939F1ZO"): "a mistyped one beside its name still tells who it is",
    ("th.tin", "1-2345-45678-78-1"): "a person's tax number is the identity number: TH_PIN",
    ("sn.ninea", "1234567 0AZ"): "the seven digits before the suffix are a number",
}


def vectors() -> list[Vector]:
    """Every documented `validate(...)` of the modules above, but for those of `DIFFERENT`."""
    documented = [
        Vector(module, match["number"], not match["answer"].startswith("Traceback"))
        for module in KNOWN
        for match in _DOCTEST.finditer(inspect.getdoc(import_module(f"stdnum.{module}")) or "")
    ]
    return [vector for vector in documented if (vector.module, vector.number) not in DIFFERENT]


def ours() -> list[Rule]:
    """The rules of these files."""
    texts = [(resources.files("scanner.rules") / f"{name}.toml").read_text(encoding="utf-8") for name in FILES]
    ids = {name for text in texts for name in re.findall(r'^id = "(.*)"$', text, re.MULTILINE)}
    return [rule for rule in RULES.rules if rule.id in ids]


@pytest.mark.parametrize("vector", vectors(), ids=str)
def test_a_number_that_the_library_documents_is_found_or_refused_in_a_sentence(vector: Vector) -> None:
    data_type, phrase = KNOWN[vector.module]
    assert vector.valid == (data_type in found(f"My {phrase} is {vector.number}."))


@pytest.mark.parametrize("rule", ours(), ids=lambda rule: rule.id)
def test_a_rule_finds_its_examples_and_not_its_counter_examples(rule: Rule) -> None:
    def missed(example: Example) -> bool:
        return rule.data_type not in found(example.text, example.field)

    assert [] == [example for example in rule.examples if missed(example)]
    assert [] == [example for example in rule.counter_examples if not missed(example)]


@pytest.mark.parametrize(
    ("text", "types"),
    [
        ("driver licence DK482713", {"AU_DRIVER_LICENSE", "NZ_DRIVER_LICENSE", "DRIVER_LICENSE"}),
        ("passport K00123456", {"DE_PASSPORT", "US_PASSPORT", "PASSPORT"}),
        ("passport EC4827136", {"PH_PASSPORT", "UK_PASSPORT"}),
        ("number plate AB 123 CD", {"FR_LICENSE_PLATE", "IT_LICENSE_PLATE"}),
        ("cédula 1-0613-0584", {"CR_CPF", "PA_CEDULA"}),
        ("personal code 33309240064", {"EE_IK", "LT_AK"}),
        ("tax number 36574261809", {"DE_IDNR", "HR_OIB"}),
        ("943 476 5919", {"PHONE", "UK_NHS"}),
    ],
)
def test_where_nobody_can_say_which_of_several_it_is_all_are_told(text: str, types: set[str]) -> None:
    assert types <= found(text)


@pytest.mark.parametrize(
    ("text", "types"),
    [
        ("Slovak birth number 710319/2745", {"SK_RC"}),
        ("BIR TIN: 482713602", {"PH_TIN"}),
        ("My Egyptian tax number is 100-531-385.", {"EG_TN"}),
    ],
)
def test_a_phrase_that_names_the_country_decides(text: str, types: set[str]) -> None:
    assert types == found(text)


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("us.ssn", "536-22-8726", "078-05-1120"),
        ("us.ssn_in_context", "123-45-6789", "666-45-6789"),
        ("ca.ohip", "4539-218-604", "4539-218-605"),
        ("ca.ramq", "TREM 8457 1903", "TREM 8477 1903"),
        ("mx.clabe", "032180000118359719", "032180000118359718"),
        ("br.cnh", "02650306461", "02650306462"),
        ("br.pis", "170.33259.50-4", "170.33259.50-5"),
        ("br.titulo", "102385010671", "102385010672"),
        ("sv.dui", "00016297-5", "00016297-4"),
        ("cn.ric", "11010519491231002X", "110105194912310021"),
        ("hk.id", "G123456(A)", "G123456(1)"),
        ("tw.id", "A123456789", "A123456788"),
        ("kr.brn", "120-81-47521", "120-81-47522"),
        ("sg.nric", "S1234567D", "S1234567E"),
        ("sg.nric", "M1234567K", "M1234567L"),
        ("ir.id", "0499370899", "0499370898"),
        ("ae.id", "784-1987-4827136-2", "784-1987-4827136-3"),
        ("za.id", "8001015009087", "8001015009088"),
        ("us.npi", "1234567893", "1234567892"),
        ("us.dea", "AB1234563", "AB1234564"),
        ("au.medicare", "2123 45670 1", "2123 45671 1"),
        ("nz.nhi", "ZAC5361", "ZZZ0044"),
        ("nz.nhi", "ALU18KZ", "ZZZ00AA"),
        (
            "icao.passport_line",
            "L898902C36UTO7408122F1204159ZE184226B<<<<<10",
            "L898902C36UTO7408122F1204159ZE184226B<<<<<11",
        ),
        ("icao.small_line", "D231458907UTO7408122F1204159<<<<<<<6", "D231458907UTO7408122F1204159<<<<<<<7"),
        ("icao.card_number_line", "I<UTOD231458907<<<<<<<<<<<<<<<", "I<UTOD231458906<<<<<<<<<<<<<<<"),
    ],
)
def test_a_check_of_our_own_accepts_a_published_number_and_refuses_it_with_another_end(
    name: str, right: str, wrong: str
) -> None:
    assert (len(right), 0) == (lookup(name)(right), lookup(name)(wrong))


@pytest.mark.parametrize("module", [americas, world, health, documents], ids=lambda module: module.__name__)
@pytest.mark.parametrize("text", ["", "-", "0", "AB", "<<<<", "ÄÖ12", "9" * 60, "Z" * 60])
def test_a_check_never_raises(module: ModuleType, text: str) -> None:
    assert all(0 <= check(text) <= len(text) for check in module.VALIDATORS.values())

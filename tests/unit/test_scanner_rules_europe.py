"""The European rules against published numbers, python-stdnum's own examples, and what is no id at all."""

from __future__ import annotations

import random
import re
import tomllib
import uuid
from importlib import import_module, resources

import pytest

from scanner.confirm import Meaning
from scanner.context import field_path
from scanner.findings import Grade
from scanner.rules import load
from scanner.rules.checking import examples_failing
from scanner.validators import lookup

FILES = ("western_europe", "southern_europe", "northern_europe", "eastern_europe")
MEANING = Meaning(load())

# (python-stdnum module, the type or types it is reported as, the phrase before the number)
VECTORS = (
    ("gb.nhs", "UK_NHS", "NHS number"),
    ("gb.utr", "UK_UTR", "UTR"),
    ("gb.upn", "UK_UPN", "UPN"),
    ("gb.vat", "UK_VAT", "VAT number"),
    ("ie.pps", "IE_PPS", "PPS number"),
    ("fr.nir", "FR_NIR", "numéro de sécurité sociale"),
    ("fr.nif", "FR_NIF", "numéro fiscal"),
    ("fr.siren", "FR_SIREN", "SIREN"),
    ("fr.siret", "FR_SIRET", "SIRET"),
    ("de.idnr", "DE_IDNR", "Steuer-ID"),
    ("de.stnr", "DE_STNR", "Steuernummer"),
    ("de.vat", "DE_VAT", "USt-IdNr."),
    ("de.handelsregisternummer", "DE_HANDELSREGISTER", "Handelsregisternummer"),
    ("nl.bsn", "NL_BSN", "BSN"),
    ("nl.btw", "NL_VAT", "btw-nummer"),
    ("nl.identiteitskaartnummer", "NL_ID_CARD", "paspoort"),
    ("be.nn", "BE_NN", "rijksregisternummer"),
    ("be.bis", "BE_BIS", "BIS number"),
    ("be.eid", "BE_ID_CARD", "Belgian identity card"),
    ("ch.ssn", "CH_AHV", "AHV-Nummer"),
    ("ch.uid", "CH_UID", "UID-Nummer"),
    ("at.vnr", "AT_VNR", "Sozialversicherungsnummer"),
    ("at.tin", "AT_TIN", "Abgabenkontonummer"),
    ("li.peid", "LI_PEID", "PEID"),
    ("es.dni", "ES_NIF", "DNI"),
    ("es.nie", "ES_NIE", "NIE"),
    ("es.nif", "ES_NIF ES_NIE ES_CIF", "NIF"),
    ("es.cif", "ES_CIF", "CIF"),
    ("es.ccc", "ES_CCC", "cuenta bancaria"),
    ("pt.nif", "PT_NIF", "NIF"),
    ("pt.cc", "PT_CC", "cartão de cidadão"),
    ("ad.nrt", "AD_NRT", "NRT"),
    ("it.codicefiscale", "IT_CODICE_FISCALE IT_PARTITA_IVA", "codice fiscale"),
    ("it.iva", "IT_PARTITA_IVA", "partita IVA"),
    ("gr.amka", "GR_AMKA", "AMKA"),
    ("gr.vat", "GR_VAT", "AFM"),
    ("cy.vat", "CY_TIN", "Cyprus TIN"),
    ("se.personnummer", "SE_PERSONNUMMER", "personnummer"),
    ("se.orgnr", "SE_ORGNR", "organisationsnummer"),
    ("no.fodselsnummer", "NO_FODSELSNUMMER", "fødselsnummer"),
    ("no.orgnr", "NO_ORGNR", "organisasjonsnummer"),
    ("dk.cpr", "DK_CPR", "CPR"),
    ("dk.cvr", "DK_CVR", "CVR"),
    ("fi.hetu", "FI_HETU", "hetu"),
    ("fi.ytunnus", "FI_YTUNNUS", "Y-tunnus"),
    ("is_.kennitala", "IS_KENNITALA", "kennitala"),
    ("ee.ik", "EE_IK", "isikukood"),
    ("lv.pvn", "LV_PK EU_VAT", "personas kods, PVN"),
    ("lt.asmens", "LT_AK", "asmens kodas"),
    ("pl.pesel", "PL_PESEL", "PESEL"),
    ("pl.nip", "PL_NIP", "NIP"),
    ("pl.regon", "PL_REGON", "REGON"),
    ("cz.rc", "CZ_RC", "rodné číslo"),
    ("sk.rc", "SK_RC", "Slovak birth number"),
    ("hu.anum", "HU_ANUM", "adószám"),
    ("ro.cnp", "RO_CNP", "CNP"),
    ("ro.cui", "RO_CUI", "CUI"),
    ("md.idno", "MD_IDNO", "IDNO"),
    ("bg.egn", "BG_EGN", "EGN"),
    ("bg.pnf", "BG_PNF", "LNCh"),
    ("hr.oib", "HR_OIB", "OIB"),
    ("si.emso", "SI_EMSO", "EMŠO"),
    ("rs.pib", "RS_PIB", "PIB"),
    ("mk.edb", "MK_EDB", "ЕДБ"),
    ("me.pib", "ME_PIB", "poreski identifikacioni broj"),
    ("al.nipt", "AL_NIPT", "NIPT"),
    ("ua.rntrc", "UA_RNTRC", "RNOKPP"),
    ("ru.inn", "RU_INN", "INN"),
    ("ru.ogrn", "RU_OGRN", "OGRN"),
    ("by.unp", "BY_UNP", "UNP"),
    ("tr.tckimlik", "TR_TCKN", "TC kimlik"),
    ("tr.vkn", "TR_VKN", "vergi no"),
    ("eu.vat", "EU_VAT", "VAT number"),
)
# modules whose examples lack the country → the country
VAT = {
    "at.uid": "AT",
    "be.vat": "BE",
    "bg.vat": "BG",
    "ee.kmkr": "EE",
    "fi.alv": "FI",
    "fr.tva": "FR",
    "ie.vat": "IE",
    "lt.pvm": "LT",
    "lu.tva": "LU",
    "mt.vat": "MT",
    "se.vat": "SE",
    "si.ddv": "SI",
    "sk.dph": "SK",
}
_CALL = re.compile(r">>> validate\(['\"]([^'\"]*)['\"]\)[^\n]*\n(.*?)(?=\n\s*>>>|\Z)", re.DOTALL)


def found(text: str, field: str = "") -> set[str]:
    hits = MEANING.confirm(text, MEANING.mask.all, MEANING.contexts.of(field_path(field)))
    return {hit.data_type for hit in hits if hit.grade >= Grade.LIKELY}


def rules_of_europe() -> list[dict[str, object]]:
    files = (resources.files("scanner.rules").joinpath(f"{name}.toml") for name in FILES)
    return [rule for file in files for rule in tomllib.loads(file.read_text(encoding="utf-8"))["rule"]]


def vectors(module: str) -> dict[str, bool]:
    """Number → whether it is valid, from the examples in a module's own documentation."""
    calls = _CALL.findall(import_module(f"stdnum.{module}").__doc__ or "")
    return {number.strip(): "Traceback" not in answer for number, answer in calls}


def test_every_european_rule_finds_its_examples_and_none_of_its_counter_examples():
    ours = {rule["id"] for rule in rules_of_europe()}
    assert [] == [str(failure) for failure in examples_failing(load()) if failure.rule_id in ours]


def test_every_european_rule_shows_what_it_finds_and_what_it_does_not():
    bare = [rule["id"] for rule in rules_of_europe() if len(rule["examples"]) < 2 or not rule["counter_examples"]]
    assert [] == bare


@pytest.mark.parametrize(("module", "types", "phrase"), VECTORS, ids=[vector[0] for vector in VECTORS])
def test_numbers_that_stdnum_documents_are_found_and_its_invalid_ones_are_not(module, types, phrase):
    numbers = vectors(module)
    assert numbers
    assert numbers == {n: bool(found(f"My {phrase} is {n}.") & set(types.split())) for n in numbers}


@pytest.mark.parametrize(("module", "country"), VAT.items())
def test_vat_numbers_that_stdnum_documents_are_found_behind_their_country_and_its_invalid_ones_are_not(module, country):
    numbers = {country + number.upper().removeprefix(country): valid for number, valid in vectors(module).items()}
    assert numbers
    assert numbers == {n: "EU_VAT" in found(f"Our VAT number is {n}.") for n in numbers}


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("de.rvnr", "15070649C103"),  # the example of the pension insurance's own specification
        ("de.kvnr", "A000500015"),  # § 290 SGB V, annex 1
        ("icao_card", "T220001293D"),  # the specimen card of 2010
        ("icao", "C01X00T478"),  # the specimen passport
        ("lu.matricule", "1893120105732"),
        ("uk.driving_licence", "MORGA657054SM9IJ"),  # the DVLA's example
        ("ru.snils", "112-233-445 95"),
        ("pl.id_card", "ABA 300000"),
        ("hu.taj", "111 111 110"),
        ("es.nss", "28/12345678/40"),
        ("dk.cpr", "211062-5629"),
        ("fi.hetu", "010594Y9032"),  # a temporary number with one of the signs of 2023
        ("se.personnummer", "121212+1212"),
        ("se.personnummer", "19121212-1212"),
    ],
)
def test_a_published_number_is_accepted_whole(name, number):
    assert len(number) == lookup(name)(number)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("de.rvnr", "15320649C103"),  # no day
        ("de.kvnr", "A000500016"),
        ("icao", "C01X00T479"),
        ("lu.matricule", "1893120105733"),
        ("uk.driving_licence", "9ORGA657054SM9IJ"),
        ("uk.nino", "GB123456C"),
        ("uk.nhs", "0000000000"),
        ("uk.plate", "FY24MAR"),
        ("uk.postcode", "QX1 1AA"),
        ("ru.snils", "000-000-000 00"),
        ("dk.cpr", "310262-5629"),
        ("se.personnummer", "881320-0016"),
        ("document", "NO 1234567"),
    ],
)
def test_a_wrong_number_is_refused(name, number):
    assert 0 == lookup(name)(number)


def test_a_coordination_number_is_a_personnummer_with_a_later_day():
    assert 11 == lookup("se.personnummer")("701063-2391")


def test_a_vat_number_ends_before_the_word_that_follows():
    assert len("LU 150 274 42") == lookup("eu.vat")("LU 150 274 42 a")


@pytest.mark.parametrize(
    ("data_type", "text"),
    [
        ("UK_NINO", "AA 12 34 56 B"),
        ("UK_NHS", "401-023-2137"),
        ("UK_POSTCODE", "London SW1A 1AA, UK"),
        ("FR_NIR", "2 69 05 49 588 157 80"),
        ("DE_IDNR", "86 095 742 719"),
        ("DE_LICENSE_PLATE", "Das Auto mit dem Kennzeichen M-AB 1234"),
        ("BE_NN", "93.05.18-223.61"),
        ("CH_AHV", "756.9217.0769.85"),
        ("AT_VNR", "SVNR: 1237 010180"),
        ("ES_NIF", "Mi DNI es 55555555-k"),
        ("ES_NIF", "1111111G"),
        ("ES_NIE", "x9613851n"),
        ("IT_CODICE_FISCALE", "rssmra85t10a562s"),
        ("IT_PARTITA_IVA", "P.IVA 01333550323"),
        ("GR_AMKA", "αμκα: 01013099997"),
        ("SE_PERSONNUMMER", "198112289874"),
        ("DK_CPR", "CPR-nummer: 211062-5629"),
        ("CZ_RC", "780123/3540"),
        ("BG_EGN", "ЕГН: 7523169263"),
        ("RU_PASSPORT", "паспорт серия 4509 номер 123456"),
        ("EU_VAT", "BE 0428.759.497"),
    ],
)
def test_a_number_is_found_as_people_write_it(data_type, text):
    assert data_type in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "my car reg is the 20 a road",
        "kennzeichen is no 12",
        "FY24 MAR",
        "the disk is W5 8GB",
        "1700000000000",
        "2024-03-01T12:30:45.123Z",
        "ORD-1234-123456",
        "SKU-AB123456C",
    ],
)
def test_prose_and_technical_strings_are_no_ids(text):
    assert set() == found(text)


def test_technical_values_are_no_ids_whatever_their_digits():
    rng = random.Random(3)
    ours = {rule["type"] for rule in rules_of_europe()}
    for _ in range(500):
        identifier = str(uuid.UUID(int=rng.getrandbits(128)))
        values = (
            str(rng.randint(10**9, 10**12)),
            str(rng.randint(1_600_000_000_000, 1_899_999_999_999)),
            identifier,
            identifier.upper(),
            f"{rng.getrandbits(128):032x}",
            f"{rng.getrandbits(64):016x}",
            str(rng.random()),
            f"{rng.randint(1, 20)}.{rng.randint(0, 30)}.{rng.randint(0, 9999)}",
        )
        assert set() == {kind for value in values for kind in found(value)} & ours


def test_a_key_that_names_an_order_or_a_hash_casts_doubt_on_weak_numbers():
    assert "ES_NIF" in found("12345678Z", "user.document")
    assert set() == found("12345678Z", "cart.order_id") | found("A000500015", "sku") | found("AB123456C", "file_hash")

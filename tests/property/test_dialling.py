"""Telephone numbers: a look at the numbering plans never refuses what the library finds valid."""

import random

import phonenumbers
import pytest
from phonenumbers import PhoneNumberType

from scanner.validators import dialling
from scanner.validators.dialling import ANYWHERE

TYPES = [PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE, PhoneNumberType.TOLL_FREE, PhoneNumberType.PREMIUM_RATE]


def near(chance, region):
    """What people dial there, and what is a digit away from it: grouped, with prefixes, cut short or too long."""
    for kind in (*TYPES, None):
        made = (
            phonenumbers.example_number_for_type(region, kind)
            if kind is not None
            else phonenumbers.example_number("IT")
        )
        if made is None:
            continue
        digits = phonenumbers.national_significant_number(made)
        for _ in range(6):
            at = chance.randrange(len(digits))
            digits = digits[:at] + chance.choice("0123456789") + digits[at + 1 :]
            code = str(phonenumbers.country_code_for_region(region))
            start = chance.choice(
                ["", "", "0", "1", "8", "00" + code, "011" + code, code, "015", "9", "00441", "0" + code]
            )
            whole = start + digits[: chance.choice([None, None, -1])] + chance.choice(["", "", "7"])
            yield chance.choice([whole, phonenumbers.format_number(made, phonenumbers.PhoneNumberFormat.NATIONAL)])
            yield "".join(c + chance.choice(["", "", "", " ", "-", ".", "/", "("]) for c in whole)


@pytest.mark.parametrize("seed", range(3))
def test_the_plans_never_refuse_what_the_library_finds_valid(seed):
    chance = random.Random(seed)
    texts = {text for region in ANYWHERE for text in near(chance, region)}
    texts |= {"".join(chance.choices("0123456789", k=chance.randrange(7, 14))) for _ in range(400)}
    saved = valid = 0
    for region in ANYWHERE:
        for text in chance.sample(sorted(texts), 250):
            expected = dialling._is_valid(text, region)
            assert expected == dialling._is_national(text, [region]), region
            valid += expected
            saved += not dialling._may_be_of(region)(dialling._digits(text))
    assert valid > 500
    assert saved > 3_000


@pytest.mark.parametrize("seed", range(3))
def test_nor_do_they_refuse_a_country_code(seed):
    chance = random.Random(seed)
    texts = {dialling._digits(text) for region in ANYWHERE for text in near(chance, region)}
    for region in chance.sample(sorted(phonenumbers.SUPPORTED_REGIONS), 120):
        for text in near(chance, region):
            texts.add(f"{phonenumbers.country_code_for_region(region)}{dialling._digits(text)}")
    texts |= {"", "0", "999", "80012345678", "8835100012345"}
    expected = {text for text in texts if dialling._is_valid("+" + text, None)}
    assert expected == {text for text in texts if dialling._is_with_code(text)}
    assert len(expected) > 300
    assert len(texts) - len(expected) > 1_000

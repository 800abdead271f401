"""Checks of matched texts: how many leading characters are accepted."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner import validators
from scanner.errors import BadRules, Fault
from scanner.validators import basic
from tests.fakes.scanner_rules import wide

ACCEPTED = {
    "luhn": ["79927398713", "4111 1111-1111 1111", "00"],
    "card": [
        "4111111111111111",
        "4111-1111-1111-1111",
        "4222222222222",  # Visa of 13
        "5555555555554444",
        "2223003122003222",  # Mastercard's second series
        "371449635398431",
        "6011000400000000",
        "30569309025904",  # Diners
        "3530111333300000",  # JCB
        "6759649826438453",  # Maestro
        "5019717010103742",  # Dankort
        "2200000000000004",  # Mir
        "6200000000000005",  # UnionPay
        "122000000000003",  # UATP
    ],
    "iban": [
        "DE89370400440532013000",
        "DE89 3704 0044 0532 0130 00",
        "de89-3704-0044-0532-0130-00",
        "NO9386011117947",
        "MT84MALT011000012345MTLCAST001S",
    ],
    "email": [
        "ana@example.com",
        "ana.lima+shop@mail.example.co.uk",
        "ANA@EXAMPLE.COM",
        "ana@xn--mnchen-3ya.de",
        "ünal@münchen.de",
        "用户@例子.广告",
        "a@b.co",
    ],
    "ipv4": ["81.2.69.142", "10.0.0.1", "192.168.1.255", "1.1.1.1"],
    "ipv6": ["2001:db8::1", "::1", "::ffff:192.0.2.128", "684D:1111:222:3333:4444:5555:6:77"],
    "mac": ["00:1b:44:11:3a:b7", "00-1B-44-11-3A-B7", "001b.4411.3ab7", "001b44113ab7"],
    "phone": ["+34 612 345 678", "0034 612 345 678", "+1 (425) 882-9090"],
    "phone:US": ["(425) 882-9090", "425-882-9090", "+34 612 345 678"],
    "phone:DE,GB": ["020 7946 0018", "030 901820"],
    "phone:US:possible": ["555-555-5555"],
    "stdnum:es.nie": ["X1234567L"],
    "stdnum:es.nie:compact": ["X-1234567-L", "X.1234567/L"],
    "stdnum:luhn": ["18"],
}
REFUSED = {
    "luhn": ["79927398710", "", "5", "abc", "٤١١١"],
    "card": ["4111111111111112", "9111111111111111", "411111111111111", "0000000000000000", "1700000000000", "x", ""],
    "iban": [
        "DE89370400440532013001",
        "DE8937040044053201300",
        "XX89370400440532013000",
        "DE89370400440532013000X",  # runs on
        "DEA9370400440532013000",
        "DE",
        "",
    ],
    "email": [
        "logo@2x.png",
        "sprite@3x.WEBP",
        "a..b@example.com",
        ".a@example.com",
        "a.@example.com",
        "a@example..com",
        "a@-example.com",
        "a@example-.com",
        "a@localhost",
        "react@17.0.2",
        "a@example.c",
        "@example.com",
        "a b",
        f"{'a' * 65}@example.com",
        f"a@{'b' * 64}.com",
        "",
    ],
    "ipv4": [
        "127.0.0.1",
        "0.0.0.0",
        "255.255.255.0",
        "256.1.1.1",
        "01.2.3.4",
        "1.2.3",
        "1.2.3.4.5",
        "",
        "१.२.३.४",
        "1.2.3.4\0",
    ],
    "ipv6": ["::", "1:2", "12:34:56", ":::1", "g::1", "", "::1\0"],
    "mac": ["ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "00:1b:44:11:3a", "00:1b:44:11:3a:bg", ""],
    "phone": ["612 345 678", "+34 12", "+999 123456789", "425-882-9090", ""],
    "phone:US": ["555-555-5555", "123"],
    "stdnum:es.nie": ["X1234567A", "", "é"],
    "stdnum:es.nie:compact": ["X-1234567-A"],
    "stdnum:cn.ric": ["999999199001011234"],  # python-stdnum looks up the county, which may be missing
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in ACCEPTED.items() for text in texts])
def test_it_accepts_all_of(name, text):
    assert len(text) == validators.lookup(name)(text)


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in REFUSED.items() for text in texts])
def test_it_refuses(name, text):
    assert validators.lookup(name)(text) == 0


@pytest.mark.parametrize("text", ["GB29 NWBK 6016 1331 9268 19", "GB29NWBK60161331926819", "gb29nwbk60161331926819"])
@pytest.mark.parametrize("tail", ["", " is", " and my pin", " 1234", "-x"])
def test_words_after_an_iban_are_cut_off(text, tail):
    assert len(text) == basic.iban(text + tail)


def test_the_zone_of_an_ipv6_address_is_cut_off():
    assert len("fe80::1") == basic.ipv6("fe80::1%eth0")


UNKNOWN = ["", "lune", "stdnum", "stdnum:", "stdnum:xx.yy", "stdnum:luhn:odd", "stdnum:util", "stdnum:..os", "phone:ZZ"]
UNKNOWN += ["stdnum:es.nie:compact:x", "phone:US,", "phone:US:sure", "card:x"]


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_name_is_a_bad_rule(name):
    with pytest.raises(BadRules, match="is not a known validator") as caught:
        validators.lookup(name)
    assert Fault.RULE_SYNTAX is caught.value.fault


@given(st.sampled_from(sorted(ACCEPTED)), st.text(alphabet=string.printable + wide("@1") + "é٣\0\ud800", max_size=40))
def test_no_text_makes_a_check_raise_or_accept_more_than_there_is(name, text):
    assert 0 <= validators.lookup(name)(text) <= len(text)


@given(st.text("0123456789", min_size=1, max_size=18))
def test_exactly_one_check_digit_passes_luhn(digits):
    assert 1 == sum(basic.passes_luhn(digits + last) for last in "0123456789")


@given(st.sampled_from(["DE", "GB", "NO", "FR", "LC"]), st.data())
def test_an_iban_with_one_digit_changed_is_refused(country, data):
    length = basic._IBAN_LENGTHS[country]
    digits = data.draw(st.text("0123456789", min_size=length - 4, max_size=length - 4))
    number = "".join(str(int(each, 36)) for each in digits + country + "00")
    iban = f"{country}{98 - int(number) % 97:02}{digits}"
    assert len(iban) == basic.iban(iban)
    place = data.draw(st.integers(4, length - 1))
    wrong = iban[:place] + str((int(iban[place]) + 1) % 10) + iban[place + 1 :]
    assert basic.iban(wrong) == 0

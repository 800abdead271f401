"""The core rules against texts as people and programs write them: what must be found, and what must be left alone.

Numbers are published test numbers or made up. The rules' own examples are run as well.
"""

from __future__ import annotations

from functools import lru_cache

import pytest

from scanner.confirm import Meaning
from scanner.context import NOWHERE, field_path
from scanner.findings import Grade
from scanner.rules import Rule, load
from scanner.validators import lookup

RULES = load()
CORE = (
    "amplitude",
    "contact",
    "credential",
    "crypto",
    "device",
    "location",
    "network",
    "payment",
    "personal",
    "vehicle",
)
OURS = [rule for rule in RULES.rules if rule.id.partition(".")[0] in CORE]


@lru_cache(maxsize=1)
def meaning() -> Meaning:
    return Meaning(RULES)


def types_in(text: str, field: str = "") -> dict[str, Grade]:
    """Data types of one text at `likely` and above → the best grade."""
    context = meaning().contexts.of(field_path(field)) if field else NOWHERE
    best: dict[str, Grade] = {}
    for hit in meaning().confirm(text, meaning().mask.all, context):
        if hit.grade >= Grade.LIKELY:
            best[hit.data_type] = max(best.get(hit.data_type, Grade.LIKELY), hit.grade)
    return best


FOUND = {
    "EMAIL": [
        "info@presidio.site",
        "my email address is info@presidio.site",
        "try one of these emails: info@presidio.site or anotherinfo@presidio.site",
        "firstname+lastname@example.com",
        "email@subdomain.example.com",
        "1234567890@example.com",
        "_______@example.com",
        "email@example-one.com",
        "email@example.museum",
        "user%example.com@example.org",
        '{"email":"x@y.io"}',
        "<a href='mailto:jane.doe@acme.co'>",
        "用户@例子.广告",
        "x@example.photography",
        "EMAIL:JOHN@EXAMPLE.COM.",
        "contact:bob@example.com,alice@example.com",
    ],
    "CREDIT_CARD": [
        "4012888888881881",
        "4012-8888-8888-1881",
        "4012 8888 8888 1881",
        "122000000000003",
        "my credit card: 122000000000003",
        "371449635398431",
        "5555555555554444",
        "5019717010103742",
        "30569309025904",
        "6011000400000000",
        "3528000700000000",
        "6759649826438453",
        "4111111111111111",
        "4917300800000000",
        "4484070000000000",
        "card no. 4222222222222",
        "3782 822463 10005",
        "3056 930902 5904",
        "Visa ending: 4242424242424242.",
        "2223003122003222",
        "6200000000000005",
        "6205500000000000004",
        "4242.4242.4242.4242",
        "card=4000056655665556&cvc=123",
        "5105105105105100",
        "6304000000000000",
        "180000000000002",
    ],
    "IBAN": [
        "DE89370400440532013000",
        "GB82 WEST 1234 5698 7654 32",
        "de89 3704 0044 0532 0130 00",
        "FR14 2004 1010 0505 0001 3M02 606",
        "my iban is IL150120690000003111111",
        "IL15 0120 6900 0000 3111 111",
        "list of ibans: AL47212110090000000235698741, AD1200012030200359100100",
        "Swiss CH93-0076-2011-6238-5295-7",
        "NO93 8601 1117 947",
        "SC18SSCB11010000000000001497USD",
    ],
    "IPV4": [
        "192.168.0.1",
        "microsoft.com 192.168.0.1",
        "connect to 10.0.0.1:22",
        "8.8.8.8",
        "x-forwarded-for: 203.0.113.195, 70.41.3.18",
        "[192.0.2.1]",
        "ip=93.184.216.34;",
        "inet 172.16.254.1/24 brd",
    ],
    "IPV6": [
        "684D:1111:222:3333:4444:5555:6:77",
        "my ipv6: 684D:1111:222:3333:4444:5555:6:77",
        "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
        "::1",
        "fe80::1%lo0",
        "2001:db8::/32",
        "::ffff:192.0.2.128",
        "64:ff9b::192.0.2.33",
        "[2001:db8:85a3:8d3:1319:8a2e:370:7348]:443",
        "ff02::2",
        "2001:db8::",
    ],
    "MAC": [
        "00:1A:2B:3C:4D:5E",
        "00-1A-2B-3C-4D-5E",
        "001A.2B3C.4D5E",
        "MAC: 001a2b3c4d5e",
        "aa:bb:cc:dd:ee:ff is the mac",
    ],
    "PHONE": [
        "(425) 882 9090",
        "my phone number is: 110bcd25-a55d-453a-8046-1297901ea002 (425) 882-9090",
        "I have a UK phone +44 (0)207 123 1234",
        "+1 (425) 882-9090",
        "_: (415)555-0132",
        "+972 54-123-4567",
        "phone: 054-1234567",
        "+1.415.555.2671",
        "Tel: 415 555 2671",
        "415-555-2671 ext. 12",
        "+44 7911 123456",
        "07911 123456",
        "+33 1 42 68 53 00",
        "01 42 68 53 00",
        "01.42.68.53.00",
        "+49 30 123456",
        "030 123456",
        "+49-89-636-48018",
        "089/636-48018",
        "+39 06 6982",
        "06 69821234",
        "+34 912 345 678",
        "teléfono: 912 345 678",
        "+91 98765 43210",
        "mobile 9876543210",
        "+55 (11) 96123-4567",
        "(11) 96123-4567",
        "+61 412 345 678",
        "0412 345 678",
        "(02) 9374 4000",
        "02 9374 4000",
        "+86 138 0013 8000",
        "手机:13800138000",
        "+81 90-1234-5678",
        "090-1234-5678",
        "03-3224-5000",
        "+7 495 123-45-67",
        "010-1234-5678",
        "+31 6 12345678",
        "06-12345678",
        "+46 70 123 45 67",
        "070-123 45 67",
        "+41 44 668 18 00",
        "044 668 18 00",
        "+353 87 123 4567",
        "+65 6123 4567",
        "+852 2345 6789",
        "+48 512 345 678",
        "tel. 512-345-678",
        "+90 532 123 45 67",
        "0532 123 45 67",
        "+27 82 123 4567",
        "082 123 4567",
        "+52 55 1234 5678",
        "001-415-555-2671",
        "fax 0221/1234567",
        "WhatsApp: 0049 171 2345678",
        "My cell is 4155552671",
        "5551234 phone? phone 555-1234",
    ],
    "BTC": [
        "16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ",
        "my wallet address is: 16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ",
        "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
        "bc1p5d7rjq7g6rdk2yhzks9smlaqtedr4dekq08ge8ztwac72sfr9rusxg3297",
        "3Nxwenay9Z8Lc9JBiywExpnEFiLp6Afp8v",
        "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
        "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx",
    ],
    "ETH": [
        "0x742d35Cc6634C0532925a3b844Bc454e4438f44e",
        "0xde0B295669a9FD93d5F28D9Ec85E40f4cb697BAe",
    ],
    "IMEI": [
        "490154203237518 imei",
        "IMEI: 490154203237518",
        "356938035643809",
        "35-209900-176148-1",
        "imei 35 209900 176148 1",
    ],
    "VIN": [
        "1HGCM82633A004352",
        "VIN: 1M8GDM9AXKP042788",
        "5GZCZ43D13S812715",
        "vin number is WBA3A5G59DNP26082",
    ],
    "GEO": [
        "40.7128,-74.0060",
        "40.7128, -74.0060",
        "51.5074° N, 0.1278° W",
        "37°46'29.7\"N 122°25'09.8\"W",
        "lat: 40.7128, long: -74.0060",
        '{"lat": 40.7128}',
        "location=40.712776,-74.005974",
        "POINT (30.5 10.25)",
    ],
    "DOB": [
        "DOB: 01/02/1980",
        "Date of birth: 1980-02-01",
        "born on 1 February 1980",
        "born on February 1st, 1980",
        "Birthday is 12/25/1990",
        "date of birth 12-Jan-1984",
        "Geb. 01.02.1980",
        "D.O.B. 5/6/78",
        "née le 01/02/1980",
        "birth_date=1980-02-01",
    ],
    "PASSWORD": [
        "password: P@ssw0rd!",
        "my password is Tr0ub4dor&3",
    ],
    "URL_CREDENTIALS": [
        "ftp://user:password@ftp.example.com/file",
        "https://admin:admin123@192.168.1.1:8443/",
    ],
    "SWIFT_BIC": [
        "SWIFT code DEUTDEFF500",
        "BIC: DEUTDEFF",
    ],
    "US_ABA": [
        "ABA routing number 021000021",
        "routing: 121000248",
    ],
    "BANK_ACCOUNT": [
        "My bank account number is 945456787654",
        "account number: 000123456789",
    ],
    "CARD_CVV": [
        "CVV 123",
    ],
    "CARD_EXPIRY": [
        "expires 12/25",
        "Exp: 12/2025",
    ],
    "STREET_ADDRESS": [
        "1600 Amphitheatre Parkway, Mountain View",
        "350 Fifth Avenue",
        "742 Evergreen Terrace",
        "123 N. Main St., Springfield",
        "PO Box 123",
        "221b Baker Street",
    ],
    "LTC": [
        "LVuDpNCSSj6pQ7t9Pv6d6sUkLKoqDEVUnJ",
    ],
    "DOGE": [
        "DBXu2kgc3xtvCUWFcxFE3r9hEYgmuaaCyD",
    ],
    "XRP": [
        "rEb8TK3gBgk5auZkwc6sHnwrGVJH8DuaLh",
    ],
    "LICENSE_PLATE": [
        "license plate: 7ABC123",
    ],
    "UK_VEHICLE_REGISTRATION": [
        "vehicle registration AB12 CDE",
    ],
    "ICCID": [
        "iccid 8944500102198304826",
    ],
    "IMSI": [
        "imsi: 310260000000000",
    ],
    "MEID": [
        "MEID: 99000112234567",
    ],
    "AD_ID": [
        "IDFA: EA7583CD-A667-48BC-B806-42ECB2B48606",
    ],
    "POSTCODE": [
        "zip code: 90210",
        "ZIP 10001-1234",
    ],
    "UK_POSTCODE": [
        "SW1A 2AA",
        "EC1A 1BB",
        "M1 1AE",
    ],
    "BEARER_TOKEN": [
        "Authorization: Bearer abcdef0123456789ABCDEF",
    ],
    "BASIC_AUTH": [
        "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
    ],
}

CLEAN = [
    "info@presidio.",
    "my email is info@presidio.",
    "192.168.0",
    "my ip: 192.168.0",
    "my ipv6: 684D:1111:222:3333:4444:5555:6:77:8",
    "4012-8888-8888-1882",
    "my credit card number is 4012-8888-8888-1882",
    "36168002586008",
    "3056930902590",
    "AB150120690000003111111",
    "DE89370400440532013001",
    "16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ2",
    "00:00:00:00:00:00",
    "FF-FF-FF-FF-FF-FF",
    "00:1A:2B:3C:4D",
    "version 1.2.3",
    "Build 2024.03.01.1234",
    "Chrome/119.0.6045.123",
    "iPhone OS 17_3_1 like Mac OS X",
    "order 123-4567890-1234567",
    "Amazon order 114-3941689-8772232",
    "tracking 1Z999AA10123456784",
    "ISBN 978-3-16-148410-0",
    "ISBN 0-306-40615-2",
    "UPC 036000291452",
    "EAN 4006381333931",
    "SKU 12345-67890",
    "invoice INV-2024-000123",
    "ticket #20240301-0042",
    "2024-03-01T10:00:00Z",
    "2024-03-01 10:00:00",
    "01/03/2024",
    "10:30 - 11:45",
    "$1,234,567.89",
    "1.234.567,89 EUR",
    "1 234 567,89",
    "3.14159265358979",
    "550e8400-e29b-41d4-a716-446655440000",
    "d41d8cd98f00b204e9800998ecf8427e",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "git commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
    "https://example.com/products/4412345?ref=abc",
    "the year 1984 was fine",
    "call of duty 4",
    "10.5281/zenodo.1234567",
    "doi:10.1000/182",
    "RFC 2616 section 14.9",
    "C++ std::vector::iterator",
    "a::b",
    "room 101, floor 3",
    "50% off, code SAVE20",
    "Pi is 3.1415926535",
    "coordinates unknown",
    "score 12:34",
    "matrix 1.0, 2.0, 3.0",
    "lat/long missing",
    "my password is secret",
    "please enter your password",
    "Password must be at least 8 characters",
    "forgot password? click here",
    "the card was declined",
    "CVV is required",
    "expires soon",
    "routing table updated",
    "swift response",
    "bearer of bad news",
    "token expired",
    "phone support is available 24/7",
    "mobile version 17.3.1",
    "mobile build 20240301",
    "call me maybe",
    "sms code 123456",
    "text me at noon",
    "tel aviv 2024",
    "iPhone 15 Pro Max 256GB",
    "Model SM-G991B/DS",
    "Samsung SM-S918U1",
    "firmware R910XXU1EUA9",
    "Pixel 6a (bluejay) TQ3A.230805.001",
    "1000000000000000",
    "1234567890123456",
    "1111222233334444",
    "0000000000000000",
    "9999999999999999",
    "1700000000",
    "1700000000000",
    "1709251200123456",
    "123456789",
    "1234567890",
    "12345678901",
    "123456789012",
    "session 1709251200000",
    "order 100012345678",
    "0012345678",
    "ref 0123456789",
    "A1B2C3D4E5F6",
    "ABCDEFGHIJKLMNOPQ",
    "12345678901234567",
    "550e8400e29b41d4a716446655440000",
    "0x1F4",
    "0xdeadbeef",
    "#ff00ff 1.5em",
    "rgb(255, 255, 255)",
    "translate(10.5px, 20.5px)",
    "viewBox 0 0 24.0000 24.0000",
    "99.9999%, 100.0000%",
    "M10.1234,20.5678 L30.1",
    "0.1234,0.5678",
    "Monday, March 4, 2024",
    "Q3 2024 revenue",
    "3 x 4 = 12",
    "5-4-3-2-1",
    "1-2-3",
    "ch. 12-14",
    "(555)",
    "(2024) 12",
    "part number 555-1234",
    "lot 415-555",
    "item 0171 234",
    "size 10 x 20 x 30",
    "Route 66, Highway 101",
    "2 Main courses",
    "born in Paris",
    "birthday party",
    "age of empires 2",
    "page 34",
    "the 1980-02-01 release",
    "zip file attached",
    "build #12345",
    "PIN entry",
    "key value pairs",
    "user name is missing",
    "first name required",
    "API key missing",
    "api_key=undefined",
    "Order #: 4111",
    "transaction 7f3e9a1c",
    "EUR 1.000.000",
    "ES6 modules",
    "SE 15 3000",
    "DE 2024",
    "GB 16 32 64",
    "AT 12 noon we meet at the IT department",
    "NO 12 34 tickets",
    "hello world",
    "Lorem ipsum dolor sit amet",
    "https://www.google.com/search?q=shoes&gclid=5bae1a765319d4dc7f5309aff773b3",
    "utm_source=fb&utm_campaign=summer_2024",
    "https://m.example.com/@user/12345",
    "@anna_nowak thanks!",
    "react@18.2.0",
    "@types/node@20.1.1",
    "foo@2x.png",
    "git@github.com:org/repo.git",
    "user@host",
    "ssh root@server",
    "rtsp://camera:554/stream",
    "http://localhost:3000/path?x=a@b",
    "time 00:11:22:33",
    "MAC OS 10.15.7",
    "Windows NT 10.0",
    "Mozilla/5.0 (Linux; Android 13; SM-G991B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/112.0.5615.48 Mobile",
    "Edg/110.0.1587.41",
    "OPR/95.0.0.0",
    "v10.0.0.1",
    "1.0.0.0",
    'sec-ch-ua "Chromium";v="110"',
    "Dalvik/2.1.0",
    "CFNetwork/1404.0.5 Darwin/22.3.0",
    "1,2,3,4",
    "1.2.3.4.5.6",
    "127.0.0.1",
    "0.0.0.0",
    "255.255.255.255",
]

UNDER_A_KEY = [
    ("PHONE", "4155552671", "user_properties.phoneNumber"),
    ("PHONE", "555-1234", "contact.tel"),
    ("PHONE", "6123 4567", "mobile"),
    ("PERSON_NAME", "Siobhán", "first_name"),
    ("PERSON_NAME", "van den Berg", "lastName"),
    ("PERSON_NAME", "Дмитрий", "имя"),
    ("PERSON_NAME", "Anna Nowak", "passenger.name"),
    ("STREET_ADDRESS", "12 Oak St", "shipping.address1"),
    ("STREET_ADDRESS", "Calle Mayor 5, 3º B", "direccion"),
    ("POSTCODE", "10115", "plz"),
    ("POSTCODE", "560001", "pincode"),
    ("POSTCODE", "01310-100", "cep"),
    ("USERNAME", "anna.n", "userName"),
    ("CREDIT_CARD", "4222222222222", "card"),
    ("CARD_CVV", "321", "cvv2"),
    ("CARD_EXPIRY", "04/2028", "card.expiry"),
    ("SWIFT_BIC", "deutdeff", "bank.swift_code"),
    ("US_ABA", "021000021", "routing_number"),
    ("BANK_ACCOUNT", "000123456789", "accountNumber"),
    ("IPV6", "::", "ipv6"),
    ("MAC", "001a2b3c4d5e", "wifi.mac"),
    ("IMEI", "521760601528432", "imei"),
    ("IMSI", "310260000000000", "imsi"),
    ("AD_ID", "ea7583cd-a667-48bc-b806-42ecb2b48606", "context.device.advertisingId"),
    ("AD_ID", "EA7583CDA66748BCB80642ECB2B48606", "gaid"),
    ("DEVICE_ID", "ea7583cd-a667-48bc-b806-42ecb2b48606", "device_id"),
    ("VIN", "WVWZZZ1JZXW000123", "car.vin"),
    ("IN_VEHICLE_REGISTRATION", "MH 12 AB 1234", "vehicleNumber"),
    ("DE_LICENSE_PLATE", "B-MW 1234E", "kennzeichen"),
    ("GEO", "-122.4194", "location.lon"),
    ("GEO", "48.1", "latitude"),
    ("DOB", "1985-03-12T00:00:00Z", "birthDate"),
    ("DOB", "31/12/1990", "fecha_nacimiento"),
    ("DOB", "12 März 1985", "geburtsdatum"),
    ("DOB", "1985年3月12日", "生年月日"),
    ("AGE", "42", "user_age"),
    ("GENDER", "женский", "пол"),
    ("GENDER", "Non-binary", "gender"),
    ("RELIGION", "Muslim", "religion"),
    ("ETHNICITY", "Asian", "ethnicity"),
    ("MARITAL_STATUS", "divorced", "maritalStatus"),
    ("NATIONALITY", "Brasileira", "nacionalidade"),
    ("SALARY", "85000", "annual_income"),
    ("USER_ID", "c-1029", "customerId"),
    ("PASSWORD", "letmein", "new_password"),
    ("API_SECRET", "a8f5f167f44f4964e6c998dee827110c", "apiKey"),
    ("CRYPTO_ADDRESS", "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM", "solana_wallet"),
]

NOT_UNDER_A_KEY = [
    ("1709251200000", "mobile.session_start"),
    ("2024-03-01 10:00:00", "phone_verified_at"),
    ("17.3.1.2", "app_version"),
    ("Trail shoe", "items.name"),
    ("home", "screen_name_shown_count"),
    ("unknown", "first_name"),
    ("10.0.0", "address"),
    ("0.0", "lat"),
    ("300", "age"),
    ("34", "max_age"),
    ("true", "password"),
    ("****", "password"),
    ("00000000-0000-0000-0000-000000000000", "idfa"),
    ("1709251200000", "session_id"),
    ("4677979049691421", "card_number"),
]


@pytest.mark.parametrize("rule", OURS, ids=lambda rule: rule.id)
def test_every_example_is_found_and_no_counter_example_is(rule: Rule):
    missed = [each for each in rule.examples if rule.data_type not in types_in(each.text, each.field)]
    wrong = [each for each in rule.counter_examples if rule.data_type in types_in(each.text, each.field)]
    assert ([], []) == (missed, wrong)


@pytest.mark.parametrize(("data_type", "text"), [(kind, text) for kind, texts in FOUND.items() for text in texts])
def test_a_text_holds_its_type(data_type: str, text: str):
    assert data_type in types_in(text)


@pytest.mark.parametrize(("data_type", "text", "field"), UNDER_A_KEY)
def test_a_key_says_what_its_value_is(data_type: str, text: str, field: str):
    assert data_type in types_in(text, field)


@pytest.mark.parametrize("text", CLEAN)
def test_a_text_without_personal_data_is_clean(text: str):
    assert {} == types_in(text)


@pytest.mark.parametrize(("text", "field"), NOT_UNDER_A_KEY)
def test_a_key_alone_makes_nothing_of_a_value_that_cannot_be_it(text: str, field: str):
    assert {} == types_in(text, field)


@pytest.mark.parametrize(
    ("text", "field", "grade"),
    [
        ("4677979049691420", "", Grade.LIKELY),
        ("4677979049691420", "payment.card", Grade.CONFIRMED),
        ("4677 9790 4969 1420", "", Grade.CONFIRMED),
    ],
)
def test_grouping_and_context_make_a_card_surer(text: str, field: str, grade: Grade):
    assert grade == types_in(text, field)["CREDIT_CARD"]


@pytest.mark.parametrize(
    ("validator", "good", "bad"),
    [
        ("ethereum", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"),
        ("segwit", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5"),
        (
            "segwit",
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
            "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4",
        ),
        (
            "cashaddr",
            "bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a",
            "qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6b",
        ),
        ("vin", "1M8GDM9AXKP042788", "1M8GDM9A1KP042788"),
        ("iccid", "8949707019621968169", "8949707019621968160"),
    ],
)
def test_check_digits_decide(validator: str, good: str, bad: str):
    check = lookup(validator)
    assert (len(good), 0) == (check(good), check(bad))


def test_a_token_is_found_though_only_its_parts_are_random():
    access, secret = "AKIA" + "IOSFODNN7EXAMPLE", "wJalrXUtnFEMI/" + "K7MDENG/bPxRfiCYEXAMPLEKEY"
    text = f"aws_access_key_id={access}\naws_secret_access_key={secret}"
    assert {"AWS_KEY", "AWS_SECRET"} <= types_in(text).keys()


def test_amplitude_s_own_fields_are_known():
    known = {
        "/user_id",
        "/amplitude_id",
        "/device_id",
        "/ip_address",
        "/idfa",
        "/adid",
        "/location_lat",
        "/location_lng",
        "/city",
    }
    assert known <= RULES.fields.keys()
    assert not RULES.fields.keys() & {"/session_id", "/event_time", "/$insert_id", "/uuid", "/event_type"}

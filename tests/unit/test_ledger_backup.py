"""A backup of the ledger: whole, or an error; and never in the clear."""

import stat
from hashlib import sha256

import fastavro
import pyrage
import pytest
from pyrage import x25519

from consumer.adapters.ledger_backup import About, Backup, Saved, save
from consumer.adapters.sealing import Keys
from consumer.adapters.wire import entry_out, ledger_in, project_out
from consumer.domain.errors import Fatal, Reason
from consumer.domain.project import ProjectState
from tests.fakes.commands import NOW
from tests.fakes.entries import lives

KEY = x25519.Identity.generate()
ABOUT = About("dsr.ledger", 6, NOW)
ENTRIES = [*lives(1).values(), ProjectState("shop", observed_ms=(1, 2))]
RECORDS = [
    Saved(
        number % 6,
        sha256(b"%d" % number).hexdigest(),
        project_out(one) if isinstance(one, ProjectState) else entry_out(one),
    )
    for number, one in enumerate(ENTRIES * 150)
]


def read(path, key=KEY):
    backup = Backup(path, Keys(str(key)))
    try:
        return backup.about, list(backup.records())
    finally:
        backup.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("backup") / "ledger.age"
    save(path, RECORDS, ABOUT, [str(KEY.to_public())])
    return path


def test_what_is_saved_is_read_back(file):
    """Every record, and what the file says of itself."""
    about, records = read(file)
    assert ABOUT == about
    assert [(r.partition, r.key) for r in RECORDS] == [(r.partition, r.key) for r in records]
    assert ENTRIES * 150 == [ledger_in(record.entry) for record in records]


def test_it_is_encrypted_and_its_owners_alone(file):
    """Nobody's id stands in it; what is inside is a container that says what it is."""
    data = file.read_bytes()
    assert b"age-encryption.org/v1" in data[:40]
    assert b"controller_customer_id" not in data
    assert b"LedgerBackup" not in data
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    assert [file.name] == [each.name for each in file.parent.iterdir()]
    plain = file.parent / "plain.avro"
    plain.write_bytes(pyrage.decrypt(data, [KEY]))
    with plain.open("rb") as opened:
        assert len(RECORDS) == len(list(fastavro.reader(opened)))
    plain.unlink()


def test_every_recipient_can_read_it(tmp_path):
    """And nobody else."""
    other = x25519.Identity.generate()
    save(tmp_path / "l", RECORDS[:3], ABOUT, [str(KEY.to_public()), str(other.to_public())])
    assert read(tmp_path / "l") == read(tmp_path / "l", other)
    with pytest.raises(Fatal) as refused:
        read(tmp_path / "l", x25519.Identity.generate())
    assert Reason.ARCHIVE_DAMAGED is refused.value.reason


def test_a_file_that_was_cut_off_or_changed_anywhere_is_an_error(file, tmp_path):
    """Also where a block of the container ends: nobody takes half a ledger for a whole one."""
    data, broken = file.read_bytes(), tmp_path / "broken"
    assert len(data) > 1 << 16, "more than one piece of age's stream"
    cuts = {*range(0, len(data), 2_999), len(data) - 1, len(data) - 16, 1 << 16}
    for cut in sorted(cuts):
        broken.write_bytes(data[:cut])
        with pytest.raises(Fatal) as refused:
            read(broken)
        assert Reason.ARCHIVE_DAMAGED is refused.value.reason
        changed = bytearray(data)
        changed[cut] ^= 1
        broken.write_bytes(changed)
        with pytest.raises(Fatal):
            read(broken)
    with pytest.raises(Fatal):
        read(tmp_path / "is-not-there")


def test_a_backup_that_fails_leaves_the_one_before(tmp_path):
    """And nothing beside it."""
    path, recipients = tmp_path / "ledger.age", [str(KEY.to_public())]
    save(path, RECORDS[:2], ABOUT, recipients)

    def lost():
        yield from RECORDS
        raise Fatal(Reason.BROKER_UNREACHABLE)

    with pytest.raises(Fatal) as failed:
        save(path, lost(), ABOUT, recipients)
    assert Reason.BROKER_UNREACHABLE is failed.value.reason
    assert 2 == len(read(path)[1])
    assert [path] == list(tmp_path.iterdir())


def test_where_it_cannot_be_written_is_said_in_our_words(tmp_path):
    """A full disk, or no such folder."""
    (tmp_path / "full.part").symlink_to("/dev/full")
    for path in (tmp_path / "no" / "folder", tmp_path / "full"):
        with pytest.raises(Fatal) as failed:
            save(path, RECORDS, ABOUT, [str(KEY.to_public())])
        assert Reason.STORE_UNAVAILABLE is failed.value.reason


def test_a_recipient_that_is_none_is_named_by_its_beginning_only(tmp_path):
    """It may be the secret key, pasted by mistake."""
    with pytest.raises(Fatal) as refused:
        save(tmp_path / "l", [], ABOUT, [str(KEY)])
    assert Reason.INVALID_SETTINGS is refused.value.reason
    assert str(KEY)[5:] not in str(refused.value)

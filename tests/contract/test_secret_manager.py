"""Secret Manager, through the real client and a service on a socket."""

import traceback
from collections.abc import AsyncIterator, Iterator

import pytest

from shared.gcp.secret_manager import Secrets, SecretUnavailable, supplier_credentials
from shared.ports.credentials import Credentials, SupplierSecrets
from tests.stand_ins.secret_manager import Fault, SecretManager, secret_manager

NAME = "projects/p/secrets/mobilemart-client-secret/versions/latest"
VALUE = "4f1c0de5-a-made-up-secret"


@pytest.fixture
def service() -> Iterator[SecretManager]:
    with secret_manager({NAME: VALUE.encode()}) as running:
        yield running


@pytest.fixture
async def secrets(service: SecretManager) -> AsyncIterator[Secrets]:
    client = Secrets(service.address, timeout_seconds=5)
    yield client
    await client.close()


async def test_a_secret_is_read_by_its_resource_name(secrets, service):
    assert await secrets.read(NAME) == VALUE
    assert service.asked == [NAME]


async def test_a_rotated_secret_is_seen_at_the_next_read(secrets, service):
    before = await secrets.read(NAME)
    service.secrets[NAME] = b"rotated"

    assert (before, await secrets.read(NAME)) == (VALUE, "rotated")


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\n\n"])
async def test_the_line_break_of_an_editor_is_no_part_of_a_secret(secrets, service, ending):
    service.secrets[NAME] = f" {VALUE} {ending}".encode()

    assert await secrets.read(NAME) == f" {VALUE} "


@pytest.mark.parametrize("stored", [b"", b"\n", b"\xff\xfe" + VALUE.encode()])
async def test_a_secret_that_is_no_text_is_refused(secrets, service, stored):
    service.secrets[NAME] = stored

    await refuses(secrets, NAME)


async def test_a_secret_damaged_on_its_way_is_refused(secrets, service):
    service.fault = Fault.DAMAGED

    await refuses(secrets, NAME)


async def test_a_missing_and_a_forbidden_secret_are_unavailable(secrets, service):
    await refuses(secrets, NAME.replace("latest", "7"))
    service.fault = Fault.DENIED
    await refuses(secrets, NAME)


async def test_a_service_that_does_not_answer_ends_the_read_in_time(service):
    service.fault = Fault.SILENT
    secrets = Secrets(service.address, timeout_seconds=0.2)

    await refuses(secrets, NAME)
    await secrets.close()


async def test_the_service_serves_again_after_a_failure(secrets, service):
    service.fault = Fault.DENIED
    await refuses(secrets, NAME)
    service.fault = None

    assert await secrets.read(NAME) == VALUE


async def test_the_supplier_client_gets_both_credentials_and_after_a_rotation_the_new_ones(secrets, service):
    names = SupplierSecrets(NAME.replace("client-secret", "client-id"), NAME)
    service.secrets[names.client_id] = b"wallet"
    credentials = supplier_credentials(secrets, names)
    first = await credentials(False)
    service.secrets[NAME] = b"rotated"

    assert (first, await credentials(True)) == (Credentials("wallet", VALUE), Credentials("wallet", "rotated"))


async def refuses(secrets: Secrets, name: str) -> None:
    """Reading fails with an error that names the secret. The error and all its causes hold no part of a value."""
    with pytest.raises(SecretUnavailable) as refused:
        await secrets.read(name)
    told = "".join(traceback.format_exception(refused.value))
    assert name in str(refused.value)
    assert VALUE not in told
    assert VALUE[::-1] not in told
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__

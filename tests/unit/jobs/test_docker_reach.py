"""A store on this machine's loopback, as a container reaches it; descriptions are as an engine gave them."""

from __future__ import annotations

import pytest

from facegan.errors import BadInputError
from facegan.experiment import Json
from jobs.backends.docker import reach
from jobs.backends.docker.reach import Published, from_inside, published

ID = "4f2a9c0d1e6b" + 52 * "7"
STORE = Published(port=9000, network="stack_default", name="store", inner=3900)
HTTPS = Published(port=443, network="stack_default", name="front", inner=8443)


def described(ports: Json, networks: Json) -> Json:
    return {"Id": ID, "Name": "/stack_store_1", "NetworkSettings": {"Ports": ports, "Networks": networks}}


PORTS: Json = {
    "3900/tcp": [{"HostIp": "127.0.0.1", "HostPort": "9000"}],
    "3901/tcp": None,
    "3902/tcp": [],
}


def test_a_service_of_a_stack_is_called_by_its_shortest_alias() -> None:
    networks = {"stack_default": {"Aliases": ["stack-store-1", "store", ID[:12]]}}
    assert published(described(PORTS, networks)) == [STORE]


def test_a_port_bound_twice_is_found_under_both() -> None:
    ports = {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8000"}, {"HostIp": "::", "HostPort": "8001"}]}
    found = published(described(ports, {"net": {"Aliases": ["web"]}}))
    assert [(one.port, one.inner) for one in found] == [(8000, 80), (8001, 80)]


@pytest.mark.parametrize(("port", "address"), [("9000/tcp", "192.168.1.5"), ("9000/udp", "127.0.0.1")])
def test_another_address_or_protocol_is_not_this_machines_loopback(port: str, address: str) -> None:
    ports = {port: [{"HostIp": address, "HostPort": "9000"}]}
    assert published(described(ports, {"net": {"Aliases": ["web"]}})) == []


@pytest.mark.parametrize("aliases", [None, [], [ID[:12]], ["stack_store_1"], ["stack_store_1", ID[:12]]], ids=str)
def test_without_a_name_that_sdks_take_it_is_called_by_its_id(aliases: list[str] | None) -> None:
    """`stack_store_1` is what older compose commands call it: no valid host name."""
    (found,) = published(described(PORTS, {"net": {"Aliases": aliases}}))
    assert found.name == ID[:12]


def test_a_store_in_several_networks_says_which_is_for_sessions() -> None:
    networks = {name: {"Aliases": ["store", ID[:12]]} for name in ("stack_default", "stack_sessions")}
    labelled = {**described(PORTS, networks), "Config": {"Labels": {"facegan.network": "stack_sessions"}}}
    assert [found.network for found in published(labelled)] == ["stack_sessions"]
    gone = {**labelled, "Config": {"Labels": {"facegan.network": "another_sessions"}}}
    assert [found.network for found in published(gone)] == ["stack_default"]


def test_the_default_bridge_knows_no_names_so_nothing_is_reached_there() -> None:
    assert published(described(PORTS, {"bridge": {"Aliases": None}})) == []
    (found,) = published(described(PORTS, {"bridge": {"Aliases": None}, "net": {"Aliases": ["store"]}}))
    assert found.network == "net"


@pytest.mark.parametrize("odd", [{}, {"NetworkSettings": None}, {"NetworkSettings": {"Ports": None, "Networks": {}}}])
def test_a_container_without_a_network_publishes_nothing(odd: Json) -> None:
    assert published({"Id": ID, **odd}) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.8.8.8", "[::1]"])
def test_an_endpoint_of_this_machine_becomes_the_container_that_publishes_it(host: str) -> None:
    path = from_inside(f"s3://bucket/faces?endpoint=http://{host}:9000", {}, [STORE])
    assert path.store_url == "s3://bucket/faces?endpoint=http://store:3900"
    assert path.network == "stack_default"


def test_the_other_options_of_the_url_stay_as_they_are() -> None:
    path = from_inside("s3://bucket/faces?region=garage&endpoint=http://localhost:9000", {}, [STORE])
    assert path.store_url == "s3://bucket/faces?region=garage&endpoint=http://store:3900"


@pytest.mark.parametrize("name", reach.VARIABLES)
def test_an_endpoint_in_a_variable_is_reached_the_same_way(name: str) -> None:
    path = from_inside("s3://bucket/faces", {name: "http://127.0.0.1:9000", "AWS_ACCESS_KEY_ID": "me"}, [STORE])
    assert dict(path.environment) == {name: "http://store:3900", "AWS_ACCESS_KEY_ID": "me"}
    assert path.network == "stack_default"


def test_a_variable_without_a_scheme_is_an_address_too() -> None:
    path = from_inside("gs://bucket", {"STORAGE_EMULATOR_HOST": "localhost:9000"}, [STORE])
    assert path.environment["STORAGE_EMULATOR_HOST"] == "http://store:3900"


def test_https_has_its_own_port() -> None:
    path = from_inside("s3://bucket?endpoint=https://localhost", {}, [STORE, HTTPS])
    assert path.store_url == "s3://bucket?endpoint=https://front:8443"


@pytest.mark.parametrize(
    "url", ["s3://bucket/faces", "gs://bucket", "s3://b?endpoint=https://minio.example:9000", "file:///data/store"]
)
def test_what_is_elsewhere_is_left_alone(url: str) -> None:
    path = from_inside(url, {"AWS_ENDPOINT_URL": "https://s3.example", "AWS_ENDPOINT_URL_S3": ""}, [STORE])
    assert (path.store_url, path.network) == (url, None)
    assert path.environment["AWS_ENDPOINT_URL"] == "https://s3.example"


@pytest.mark.parametrize("listed", [[], [HTTPS]], ids=["none", "another"])
def test_what_no_container_publishes_is_refused_with_what_to_do(listed: list[Published]) -> None:
    with pytest.raises(BadInputError) as raised:
        from_inside("s3://bucket?endpoint=http://127.0.0.1:9000", {}, listed)
    assert raised.value.message == (
        "the store's endpoint \"http://127.0.0.1:9000\" is this machine's own, and a container cannot reach it"
    )
    assert raised.value.hint is not None
    assert "make up" in raised.value.hint


def test_endpoints_in_two_networks_are_refused() -> None:
    other = Published(port=9001, network="another", name="store", inner=3900)
    with pytest.raises(BadInputError, match="in 2 networks of the engine: another, stack_default"):
        from_inside(
            "s3://bucket?endpoint=http://127.0.0.1:9000", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9001"}, [STORE, other]
        )


def test_two_endpoints_in_one_network_are_one_path() -> None:
    path = from_inside(
        "s3://bucket?endpoint=http://127.0.0.1:9000", {"AWS_ENDPOINT_URL": "https://localhost"}, [STORE, HTTPS]
    )
    assert path.network == "stack_default"

"""No webhook goes into the networks behind us: when it is saved, when it is sent, or by a name that changes."""

from __future__ import annotations

import pytest

from lib import outbound
from tests.gateways.stub import Reply, provider
from tests.webhooks.receiver import deliver
from webhooks import guard, posting
from webhooks.models import EVENTS, Delivery, Endpoint

#: Hosts, each of which leads to ourselves, to our network, or to nowhere in particular.
PRIVATE = """
127.0.0.1 127.1 127.0.1 127.255.255.254 0 0.0.0.0 0.1.2.3 2130706433 0x7f000001 0x7f.1 0177.0.0.1 017700000001 10.0.0.1
10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 192.168.1 169.254.169.254 0xa9fea9fe 2852039166 100.64.0.1
100.127.255.255 192.0.0.1 192.0.0.170 192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1
224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 [::] [::1] [0:0:0:0:0:0:0:1] [::ffff:127.0.0.1] [::ffff:7f00:1]
[::ffff:10.0.0.1] [::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b::127.0.0.1] [64:ff9b:1::1] [100::1] [2001::1]
[2001:0:7f00:1::] [2001:10::1] [2001:20::1] [2001:db8::1] [2002:7f00:1::] [2002:c0a8:1::1] [3fff::1] [5f00::1] [fc00::1]
[fd12:3456::1] [fe80::1] [fec0::1] [ff02::1] [ff0e::1] localhost LOCALHOST localhost. a.localhost printer printer.local
db.internal metadata.google.internal router.lan nas.home.arpa crm.corp intranet kubernetes.default.svc.test
""".split()  # noqa: SIM905
MALFORMED = [
    "", "x", "//acme.example", "/hook", "acme.example/hook", "ftp://acme.example", "file:///etc/passwd", "gopher://x.org",
    "javascript:alert(1)", "https://", "https:///hook", "https://:443/", "https://user@acme.example",
    "https://user:secret@acme.example", "https://acme.example@127.0.0.1", "https://acme.example:0", "https://a:99999/",
    "https://a:b/", "https://acme.example/#x", "https://acme.example#@127.0.0.1", "https://acme example/", "https://a\\@b.c/",
    "https://acme.example\n.evil.example", "https://acme\x00.example", "https://[::1", "https://[x]/", "https://a\u200b.b/",
    "https://a\ud800.b/", "https://\u202eacme.example", "https://" + "a" * 600, " https://acme.example",
]  # fmt: skip
PUBLIC = ["93.184.215.14", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450:4001::8a"]


@pytest.fixture
def dns(monkeypatch):
    """Names lead where the test says; numbers where the system reads them."""
    real, names = outbound.resolve, {}

    def resolve(host, port):
        if host in names:
            return names[host]
        if any(c.isalpha() for c in host.removeprefix("0x")) and ":" not in host and not host.startswith("0x"):
            raise outbound.NoSuchHost
        return real(host, port)

    monkeypatch.setattr(outbound, "resolve", resolve)
    return names


@pytest.fixture
def no_connections(monkeypatch):
    made = []

    class Trap(posting.httpcore.SyncBackend):
        def connect_tcp(self, host, port, **options):
            made.append(host)
            raise posting.httpcore.ConnectError

    monkeypatch.setattr(posting.httpcore, "SyncBackend", Trap)
    return made


def _send(url):
    return posting.post(url, webhook_id="evt_1", body=b"{}", sealed_secrets=[])


@pytest.mark.parametrize("host", PRIVATE)
def test_a_private_host_is_neither_saved_nor_sent_to(host, dns, no_connections):
    for url in (f"https://{host}/hook", f"https://{host}:8443/hook?x=1"):
        with pytest.raises(guard.Refused) as refused:
            guard.check(url)
        assert refused.value.code in {"private", "not_a_url"}
        assert _send(url).problem in {"refused", "no_such_host"}
    assert no_connections == []


@pytest.mark.parametrize("url", MALFORMED)
def test_what_is_no_address_is_refused(url, no_connections):
    with pytest.raises(guard.Refused):
        guard.check(url)
    assert _send(url).problem == "refused"
    assert no_connections == []


@pytest.mark.parametrize("address", PUBLIC)
def test_the_world_outside_is_allowed(address):
    assert outbound.is_public(address)


@pytest.mark.parametrize("text", ["", "x", "fe80::1%eth0", "2606:4700::1111%eth0", "1.2.3", "1.2.3.4.5"])
def test_what_cannot_be_read_is_not_public(text):
    assert not outbound.is_public(text)


def test_without_https_nothing_is_saved(dns):
    dns["acme.example"] = ["8.8.8.8"]
    assert guard.check("https://acme.example/hook") == "https://acme.example/hook"
    with pytest.raises(guard.Refused) as refused:
        guard.check("http://acme.example/hook")
    assert refused.value.code == "not_https"


def test_one_private_address_among_public_ones_is_enough(dns):
    dns["acme.example"] = ["8.8.8.8", "10.0.0.1"]
    with pytest.raises(guard.Refused):
        guard.check("https://acme.example/")


def test_a_name_that_leads_nowhere_yet_may_be_saved(dns):
    assert guard.check("https://soon.example/hook") == "https://soon.example/hook"
    assert _send("https://soon.example/hook").problem == "no_such_host"


def test_a_name_that_leads_inside_later_is_not_followed_there(world, dns, no_connections, settings):
    dns["acme.example"] = ["8.8.8.8"]
    url = guard.check("https://acme.example/hook")
    endpoint, _secret = Endpoint.issue(company=world.acme, url=url, events=list(EVENTS))
    endpoint.send_test()
    dns["acme.example"] = ["127.0.0.1"]
    deliver()

    assert Delivery.objects.of(world.acme).get().error == "refused"
    assert no_connections == []


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch, settings):
    """A name server that answers otherwise at the second question is not asked a second time."""
    asked = []

    def resolve(host, port):
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["192.0.2.1"]

    monkeypatch.setattr(outbound, "resolve", resolve)
    settings.WEBHOOK_ALLOW_PRIVATE = True
    with provider(Reply(204)) as stub:
        port = stub.base_url.rpartition(":")[2]
        assert _send(f"http://acme.example:{port}/hook").status == 204

    assert asked == ["acme.example"]
    assert stub.requests[0].headers["host"] == f"acme.example:{port}"


def test_a_certificate_is_checked_against_the_name(monkeypatch, settings):
    names = []
    monkeypatch.setattr(outbound, "resolve", lambda host, port: ["127.0.0.1"])

    def start_tls(_self, ssl_context, server_hostname, timeout):
        names.append(server_hostname)
        raise posting.httpcore.ConnectError

    monkeypatch.setattr(posting._Hurried, "start_tls", start_tls)
    settings.WEBHOOK_ALLOW_PRIVATE = True
    with provider(Reply(204)) as stub:
        _send(f"https://acme.example:{stub.base_url.rpartition(':')[2]}/")

    assert names == ["acme.example"]


def test_a_proxy_of_the_environment_is_not_used(monkeypatch, settings):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    with provider(Reply(204)) as proxy, provider(Reply(204)) as stub:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.base_url)
        assert _send(stub.base_url).status == 204

    assert proxy.requests == []


def test_a_receiver_that_trickles_is_cut_off(monkeypatch, settings):
    """Each byte comes in time, the answer never does."""
    monkeypatch.setattr(posting, "ALL_SECONDS", 0.3)
    settings.WEBHOOK_ALLOW_PRIVATE = True
    monkeypatch.setattr(posting.httpcore, "SyncBackend", Trickling)

    assert _send("http://127.0.0.1:9/").problem == "timeout"


class Trickling:
    told = 0

    def connect_tcp(self, *_args, **_options):
        return self

    def write(self, _buffer, timeout=None):
        pass

    def read(self, _max_bytes, timeout=None):
        self.told += 1
        return b"HTTP/1.1 200 OK\r\nX: "[self.told - 1 : self.told] or b"x"

    def close(self):
        pass

    def get_extra_info(self, _info):
        return None

"""Where the page is reached: which hosts are its own, and which address its links and forms have."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from dispatcher.errors import SettingsError
from dispatcher.hosts import is_loopback, listens_here_alone
from dispatcher.remedies import AnyOf, Setting
from dispatcher.settings import WebSettings

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Known once the server listens."""

    #: As a person types it: http://127.0.0.1:8712.
    url: str
    #: What requests may name as their host: whatever else names one is sent by another site.
    hosts: frozenset[str]
    port: int

    @property
    def origin(self) -> str:
        """What browsers say where a form of ours comes from."""
        return self.url

    @property
    def is_encrypted(self) -> bool:
        """Whether browsers reach it by https."""
        return self.url.startswith("https://")

    @property
    def cookie(self) -> str:
        """The session's cookie: browsers share those of one host between ports; `__Host-` needs https."""
        return "__Host-dispatcher" if self.is_encrypted else f"dispatcher_{self.port}"

    def origins(self) -> frozenset[str]:
        """Where forms of this page may come from."""
        scheme = self.url.partition("://")[0]
        return frozenset({self.url, *(f"{scheme}://{host}" for host in self.hosts)})


def address(host: str, port: int, public_url: str) -> Address:
    """Of a server that listens there."""
    if public_url:
        parts = urlsplit(public_url)
        # Whoever asks past the proxy is not served: it alone says who may, and by which name.
        return Address(url=public_url, hosts=frozenset(_spellings(parts.scheme, parts.netloc)), port=port)
    shown = f"[{host}]" if ":" in host else host
    names = ("127.0.0.1", "localhost", "[::1]", shown)
    hosts = frozenset().union(*(_spellings("http", f"{name}:{port}") for name in names))
    return Address(url=f"http://{shown}:{port}", hosts=hosts, port=port)


def _spellings(scheme: str, netloc: str) -> set[str]:
    netloc = netloc.lower()
    default = _DEFAULT_PORTS[scheme]
    bare = netloc.removesuffix(f":{default}")
    return {netloc, bare, *({f"{bare}:{default}"} if bare == netloc and ":" not in netloc.rpartition("]")[2] else ())}


def check_exposure(settings: WebSettings) -> None:
    """Raises: SettingsError: passwords would cross the network unencrypted, or anybody with a link would be in."""
    local = listens_here_alone(settings.host)
    told = f"public_url = {settings.public_url}" if settings.public_url else "no public_url"
    public_local = bool(settings.public_url) and is_loopback(settings.public_url)
    if settings.public_url.startswith("http://") and not public_local:
        raise SettingsError(
            "the page would be reached without encryption: whoever is on the way reads passwords and numbers",
            found=f"public_url = {settings.public_url}",
            fix=Setting("web.public_url", "https://…"),
        )
    if not local and not settings.public_url.startswith("https://"):
        raise SettingsError(
            "the page would be open to the network without encryption",
            found=f"host = {settings.host}, and {told}",
            fix=AnyOf(Setting("web.host", "127.0.0.1"), Setting("web.public_url", "https://send.example.com")),
        )
    if settings.auth == "link" and (not local or (settings.public_url and not public_local)):
        raise SettingsError(
            "a link is for one person at this machine; others sign in with a name and a password",
            found='auth = "link"',
            fix=Setting("web.auth", "password"),
        )

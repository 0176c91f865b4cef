"""The proxy that the environment names, looked up once; one that cannot be used is told by its variable."""

from __future__ import annotations

import os
import urllib.request
from urllib.parse import urlsplit

from dispatcher.errors import SettingsError
from dispatcher.remedies import Advice

#: What stands behind a proxy of another kind is not spoken here.
_SCHEMES = ("http", "https")


def proxy_of(base_url: str) -> str | None:
    """The proxy for a host beyond this machine, as other programs find it; None where NO_PROXY names the host.

    HTTPS_PROXY (for http:// HTTP_PROXY), else ALL_PROXY.

    Raises: SettingsError: it is none that this program can use. Its text holds no credentials.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if urllib.request.proxy_bypass(host):
        return None
    found = urllib.request.getproxies()
    kind = parts.scheme if found.get(parts.scheme) else "all"
    proxy = found.get(kind, "").strip()
    if not proxy:
        return None
    problem = _problem(proxy)
    if problem is None:
        return proxy
    name = _variable(kind)
    example = f"{name}=http://HOST:PORT" if name.isidentifier() else "set HTTPS_PROXY to http://HOST:PORT"
    raise SettingsError(
        f"the proxy that {name} names cannot be used",
        found=problem,
        fix=Advice(f"{example}, or NO_PROXY={host} for no proxy"),
    )


def _problem(proxy: str) -> str | None:
    """What is wrong with a proxy's address; nothing of it is told that may be a password."""
    try:
        parts = urlsplit(proxy)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError as error:
        return "its port is no number" if "port" in str(error).lower() else "it is no address"
    if proxy[0] in "\"'" or proxy[-1] in "\"'":
        return "it stands in quotation marks, which are a part of its value here"
    if "://" not in proxy:
        return "it does not begin with http:// or https://"
    if scheme not in _SCHEMES:
        return f"it is of the kind {scheme}; only http and https can be used"
    if not host or any(letter.isspace() for letter in proxy):
        return "it names no host"
    if port == 0 or parts.netloc.endswith(":"):
        return "its port is 0" if port == 0 else "its port is missing"
    if parts.path.strip("/") or parts.query or parts.fragment:
        return "it has a path; only a host and a port can be used"
    return None


def _variable(kind: str) -> str:
    """The variable that it comes from, as it is written in the environment."""
    for name in (f"{kind}_proxy", f"{kind}_proxy".upper()):
        if os.environ.get(name):
            return name
    return next((name for name in os.environ if name.lower() == f"{kind}_proxy"), "the system")
